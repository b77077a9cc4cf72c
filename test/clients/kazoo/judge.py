"""kazoo as a judge: every operation and recipe it has, then a crash of the server."""

import logging

import identity
import nodes
import recipes
import sessions
import survival
import transactions
import watches
from checks import finish

logging.basicConfig(level=logging.WARNING)
for part in (nodes, transactions, watches, identity, sessions, recipes, survival):
    part.run()
finish()
