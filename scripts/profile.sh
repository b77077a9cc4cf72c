#!/usr/bin/env bash
# Takes the profile by which the compiler optimises quoll, cmd/quoll/default.pgo: a lone server and three members do what
# clients ask most of them. Takes two minutes; the machine should do nothing else. Afterwards compare
# (test/compare/compare.sh): a profile that tells nothing new is not worth a commit.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
servers=()
finish() { kill "${servers[@]}" 2>/dev/null || true; wait; rm -rf "$work"; }
trap finish EXIT

cd "$root"
go build -trimpath -pgo=off -o "$work/quoll" ./cmd/quoll
(cd scripts/tools && go build -o "$work/mergeprofiles" ./mergeprofiles)
cd "$work"

# start NAME SETTING...: a server with a profile of that name.
start() {
  local name=$1 setting settings=()
  shift
  for setting; do settings+=(--set "$setting"); done
  ./quoll server --cpuprofile "$work/$name.prof" --set dataDir="$work/$name" --set admin.enableServer=false \
    --set maxClientCnxns=0 "${settings[@]}" 2>"$work/$name.log" &
  servers+=($!)
}

stop() {
  kill "${servers[@]}"
  wait "${servers[@]}"
  servers=()
}

# load NAME SERVERS DEPTH OPERATION
load() {
  echo "== $1: $4, $3 deep"
  until [[ $(./quoll 4lw srvr --server "$2" 2>/dev/null | grep -c Mode:) == "$(tr ',' '\n' <<<"$2" | wc -l)" ]]; do sleep 0.2; done
  ./quoll bench --server "$2" --connections 30 --warmup 500ms --duration 3s --depth "$3" "$4" | grep operations
}

for depth in 1 20; do
  for operation in get set create; do
    start "lone-$depth-$operation" clientPort=27390
    load lone localhost:27390 "$depth" "$operation"
    stop

    for i in 1 2 3; do
      mkdir "member$i-$depth-$operation"
      echo $i >"member$i-$depth-$operation/myid"
      start "member$i-$depth-$operation" clientPort=2739$i initLimit=10 syncLimit=5 \
        server.1=localhost:27401:27411 server.2=localhost:27402:27412 server.3=localhost:27403:27413
    done
    load members localhost:27391,localhost:27392,localhost:27393 "$depth" "$operation"
    stop
  done
done
./mergeprofiles "$root/cmd/quoll/default.pgo" ./*.prof
ls -l "$root/cmd/quoll/default.pgo"
