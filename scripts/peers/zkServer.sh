#!/usr/bin/env bash
# Apache ZooKeeper's server in the foreground:
#
#   zkServer.sh start-foreground zoo.cfg
#
# SERVER_JVMFLAGS and JVMFLAGS as in its zkServer.sh. ZK_SERVER_HEAP is in MB.
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ $# -ne 2 || $1 != start-foreground ]]; then
  echo "usage: ${0##*/} start-foreground zoo.cfg" >&2
  exit 2
fi
# shellcheck disable=SC2086 # the flags are several words
exec java -cp "$home/conf:$home/lib/*" -Xmx"${ZK_SERVER_HEAP:-1000}"m -Xshare:auto \
  -Dzookeeper.log.level="${ZOO_LOG_LEVEL:-INFO}" -Dzookeeper.jmx.log4j.disable=true ${SERVER_JVMFLAGS:-} ${JVMFLAGS:-} \
  org.apache.zookeeper.server.quorum.QuorumPeerMain "$2"
