#!/usr/bin/env bash
# zkServer.sh start-foreground CONFIG: stands where go-zookeeper's tests start ZooKeeper's server, and starts quoll, which
# QUOLL_SHIM names.
SERVER_JVMFLAGS="${JVMFLAGS:-} ${SERVER_JVMFLAGS:-}" exec "$QUOLL_SHIM" server "$2"
