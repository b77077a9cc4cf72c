#!/usr/bin/env bash
# Apache ZooKeeper's own command line client. Arguments are those of its zkCli.sh; CLIENT_JVMFLAGS as there.
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2086 # the flags are several words
exec java -cp "$home/conf:$home/lib/*" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
  -Dzookeeper.log.level="${ZOO_LOG_LEVEL:-WARN}" ${CLIENT_JVMFLAGS:-} ${JVMFLAGS:-} \
  org.apache.zookeeper.ZooKeeperMain "$@"
