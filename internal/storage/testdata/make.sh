#!/usr/bin/env bash
# Makes the directories beside it: what Apache's servers leave on disk after
# the same work, with a kill -9 in between.
#
#   make.sh NAME 'CLASSPATH' [JVM-FLAGS]
#
# The committed ones were made with, for example,
#   make.sh apache-3.9.4-gz '.cache/peers/zookeeper-3.9.4/lib/*' -Dzookeeper.snapshot.compression.method=gz
# and then reduced to the files that the tests use. apache-3.9.4-fuzzy is of a
# server with snapCount=60 under load: a snapshot written while transactions
# were applied. Needs scripts/install-peers.sh.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$here/../../../.cache/peers/venv/bin/python
name=$1 classpath=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
port=$((23000 + RANDOM % 5000))
cat >"$work/zoo.cfg" <<CFG
tickTime=1000
dataDir=$here/$name
clientPort=$port
admin.enableServer=false
extendedTypesEnabled=true
CFG
start() {
  java -cp "$classpath" -Dzookeeper.extendedTypesEnabled=true -Dzookeeper.preAllocSize=4 \
    -Dzookeeper.admin.enableServer=false "$@" org.apache.zookeeper.server.quorum.QuorumPeerMain "$work/zoo.cfg" >"$work/log" 2>&1 &
  pid=$!
  until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
}
cli() { java -cp "$classpath" org.apache.zookeeper.ZooKeeperMain -server "127.0.0.1:$port" "$@" >/dev/null 2>&1; }
end() { kill "$1" "$pid" && wait "$pid"; }

start "$@"
"$python" "$here/make.py" "$port" 1
cli create -c /container c
cli create -t 86400000 /ttl t
end -9
start "$@"
"$python" "$here/make.py" "$port" 2
"$python" "$here/make.py" "$port" keep
end -15
start "$@"
"$python" "$here/make.py" "$port" keep
end -9
