#!/usr/bin/env bash
# Every check of the project, in the order in which it is cheapest to fail:
# peers, gofmt, vet, staticcheck, unit tests with the race detector, simulated ensembles, fuzz targets, black-box tests.
#
#   scripts/test.sh              all of it
#   scripts/test.sh vet unit     only these sections: peers format vet staticcheck unit simulation fuzz blackbox
#
#   FUZZTIME=3s       how long each fuzz target runs
#   QUOLL_SUBJECTS    "apache,quoll": which servers the black-box tests run on
#   QUOLL_RACE=1      whether the black-box tests' quoll is built with the race detector
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' scripts/test.sh; }

fuzztime=${FUZZTIME:-3s}
export QUOLL_RACE=${QUOLL_RACE:-1}
# Or each process that is built with the race detector sleeps for a second at its end.
export GORACE=${GORACE:-atexit_sleep_ms=0}
timings=() failed=()

peers() { scripts/install-peers.sh; }

format() {
  local files
  files=$(git ls-files --cached --others --exclude-standard '*.go' | while IFS= read -r f; do [[ -f $f ]] && echo "$f"; done |
    xargs gofmt -l)
  [[ -z $files ]] && return
  printf 'not formatted, run gofmt -w: %s\n' $files
  return 1
}

# Modules of their own, which follow this one's dependencies without being told. A module's name and a command for it.
module() {
  local name=$1 dir status
  shift
  dir=$(mktemp -d) || return
  cp "$name"/go.{mod,sum} "$dir" &&
    sed -i "s|=> \\(\\.\\./\\)*\\.\\.|=> $PWD|" "$dir/go.mod" &&
    (cd "$name" && GOFLAGS="-mod=mod -modfile=$dir/go.mod" "$@" ./...)
  status=$?
  rm -rf "$dir"
  return $status
}

modules() {
  local name status=0
  for name in discovery/grpcresolver client/telemetry compat/zk test/compare/clients; do
    module "$name" "$@" || status=1
  done
  return $status
}

# Some files are built for tests with failpoints alone.
tagged=(-tags failpoints ./internal/failpoint ./internal/storage)

vet() { go vet ./... && go vet "${tagged[@]}" && (cd test/clients/go && go vet ./...) && modules go vet; }

# The tool has its own module; built once, it also checks the Go client's judge and compat/zk, which are modules of their
# own, too. The gRPC resolver is left to vet: looking through gRPC would take longer than all else together.
staticcheck() {
  local dir status
  dir=$(mktemp -d) || return
  (cd scripts/tools && go build -o "$dir/staticcheck" honnef.co/go/tools/cmd/staticcheck) &&
    "$dir/staticcheck" ./... && "$dir/staticcheck" "${tagged[@]}" && (cd test/clients/go && "$dir/staticcheck" ./...) && (cd compat/zk && "$dir/staticcheck" ./...)
  status=$?
  rm -rf "$dir"
  return $status
}

# What needs servers lies under test/ and has a section of its own.
unit() { go test -race -timeout 10m $(go list ./... | grep -v '/test/') && go test -race "${tagged[@]:0:3}" && modules go test -race -timeout 10m; }

# Without the race detector, which makes schedules ten times as slow and has nothing to find in one goroutine.
simulation() { go test -count 1 -timeout 10m -run 'TestSimulation$|TestPlanted$' -v ./internal/zab | grep -v '^=== RUN'; }

# The fuzz targets of each package, found by their declarations; two packages at a time.
fuzz() {
  git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]*' |
    sed -E 's,/[^/]*:func , ,' | sort -u | awk '{ of[$1] = of[$1] " " $2 } END { for (p in of) print p of[p] }' | sort |
    FUZZTIME=$fuzztime xargs -P 2 -L 1 scripts/fuzz.sh
}

# Two packages at a time: their servers and clients wait more than they work. Never from the cache: the go command does
# not see that the tests run quoll, which is built once for all of them.
blackbox() {
  local dir status
  dir=$(mktemp -d) || return
  [[ -n ${QUOLL_BINARY:-} ]] ||
    go build -pgo=off -tags failpoints $([[ $QUOLL_RACE == 1 ]] && echo -race) -o "$dir/quoll" ./cmd/quoll || return
  QUOLL_BINARY=${QUOLL_BINARY:-$dir/quoll} go test -p 2 -count 1 -timeout 20m ./test/...
  status=$?
  rm -rf "$dir"
  return $status
}

# What failed, in few lines: servers' logs can be long, and who reads the output may see only its end.
summary() {
  awk '
    / the end of its log:$|\.go:[0-9]+: \| / { left = 0; next } # a server, a table
    /^ *--- FAIL: |^FAIL[ \t].|^panic: |^fatal error: |WARNING: DATA RACE|^not formatted|^peers: MISSING|^vet: / ||
    /^[^ ]+\.go:[0-9]+(:[0-9]+)?: |^ +[a-z0-9_]+\.go:[0-9]+: / { print substr($0, 1, 200); left = 3; next }
    left > 0 && /^[ \t]/ { print substr($0, 1, 200); left--; next }
    { left = 0 }
  ' "$log" | head -n 60
}

section() {
  local name=$1 began=$SECONDS status=ok
  printf '\n== %s\n' "$name"
  "$name" 2>&1 | tee -a "$log"
  ((PIPESTATUS[0] == 0)) || { status=FAILED failed+=("$name"); }
  timings+=("$(printf '%-12s %4d s  %s' "$name" $((SECONDS - began)) $status)")
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
sections=("$@")
case ${1:-} in -h | --help) usage; exit ;; esac
((${#sections[@]})) || sections=(peers format vet staticcheck unit simulation fuzz blackbox)
for s in "${sections[@]}"; do
  case $s in
  peers | format | vet | staticcheck | unit | simulation | fuzz | blackbox) section "$s" ;;
  *) { echo "unknown section: $s"; usage; } >&2; exit 2 ;;
  esac
done

printf '\n== timings\n'
printf '%s\n' "${timings[@]}" "$(printf '%-12s %4d s' total $SECONDS)"
if ((${#failed[@]})); then
  printf '\n== failures\n'
  summary
  printf 'FAILED: %s\n' "${failed[*]}"
  exit 1
fi
