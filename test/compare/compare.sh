#!/usr/bin/env bash
# Compares quoll with Apache ZooKeeper on this machine, both with forceSync, fresh directories and the load beside them,
# and prints the figures, their ratios and targets as a Markdown table.
#
#   test/compare/compare.sh                        everything, 5 rounds (about 40 minutes)
#   test/compare/compare.sh -rounds 1 -seconds 2 throughput
#   test/compare/compare.sh -json figures.json memory snapshot start watch idle
#   test/compare/compare.sh failover sync idle-ensemble
#   test/compare/compare.sh -h                     all suites and flags
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
for arg in "$@"; do
  case $arg in -h | -help | --help) exec go run ./test/compare -h ;; esac
done
scripts/install-peers.sh zookeeper 3.9.4 >&2
# Ten thousand sessions are ten thousand descriptors, in the server and in the load.
ulimit -n "$(ulimit -Hn)"
exec go run ./test/compare "$@"
