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

fuzztime=${FUZZTIME:-3s}
export QUOLL_RACE=${QUOLL_RACE:-1}
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

# The gRPC resolver is a module of its own, which follows this one's dependencies without being told.
grpcresolver() {
  local dir status
  dir=$(mktemp -d) || return
  cp discovery/grpcresolver/go.{mod,sum} "$dir" &&
    sed -i "s|=> ../..|=> $PWD|" "$dir/go.mod" &&
    (cd discovery/grpcresolver && GOFLAGS="-mod=mod -modfile=$dir/go.mod" "$@" ./...)
  status=$?
  rm -rf "$dir"
  return $status
}

vet() { go vet ./... && (cd test/clients/go && go vet ./...) && grpcresolver go vet; }

# The tool has its own module; built once, it also checks the Go client's judge, which is a module of its own, too.
staticcheck() {
  local dir status
  dir=$(mktemp -d) || return
  (cd scripts/tools && go build -o "$dir/staticcheck" honnef.co/go/tools/cmd/staticcheck) &&
    "$dir/staticcheck" ./... && (cd test/clients/go && "$dir/staticcheck" ./...) && grpcresolver "$dir/staticcheck"
  status=$?
  rm -rf "$dir"
  return $status
}

# What needs servers lies under test/ and has a section of its own.
unit() { go test -race -timeout 10m $(go list ./... | grep -v '/test/') && grpcresolver go test -race -timeout 10m; }

# Without the race detector, which makes schedules ten times as slow and has nothing to find in one goroutine.
simulation() { go test -count 1 -timeout 10m -run 'TestSimulation$|TestPlanted$' -v ./internal/zab | grep -v '^=== RUN'; }

# Each fuzz target of each package, found by its declaration.
fuzz() {
  local file target status=0
  while IFS=: read -r file target; do
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -parallel 2 "./$(dirname "$file")" >"$log" 2>&1 && {
      printf 'ok  %s %s\n' "$(dirname "$file")" "$target"
      continue
    }
    # The fuzzer sometimes takes the end of its own time for a failure of the target; a real one
    # leaves the input that fails.
    if grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"; then
      printf 'ok  %s %s (ended by the clock)\n' "$(dirname "$file")" "$target"
      continue
    fi
    status=1
    cat "$log"
    printf 'FAIL %s %s: rerun: go test -run ^$ -fuzz ^%s$ ./%s\n' "$(dirname "$file")" "$target" "$target" "$(dirname "$file")"
  done < <(git ls-files --cached --others --exclude-standard '*_test.go' |
    xargs grep -oE '^func Fuzz[A-Za-z0-9_]*' | sed 's/func //' | sort)
  return $status
}

# One package at a time: servers that share two cores with each other time out for no fault of theirs. Never from the
# cache: the go command does not see that the tests build quoll.
blackbox() { go test -p 1 -count 1 -timeout 20m ./test/...; }

section() {
  local name=$1 began=$SECONDS status=ok
  printf '\n== %s\n' "$name"
  "$name" || { status=FAILED failed+=("$name"); }
  timings+=("$(printf '%-12s %4d s  %s' "$name" $((SECONDS - began)) $status)")
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
sections=("$@")
((${#sections[@]})) || sections=(peers format vet staticcheck unit simulation fuzz blackbox)
for s in "${sections[@]}"; do
  case $s in
  peers | format | vet | staticcheck | unit | simulation | fuzz | blackbox) section "$s" ;;
  *) echo "unknown section: $s" >&2; exit 2 ;;
  esac
done

printf '\n== timings\n'
printf '%s\n' "${timings[@]}" "$(printf '%-12s %4d s' total $SECONDS)"
if ((${#failed[@]})); then
  printf 'FAILED: %s\n' "${failed[*]}"
  exit 1
fi
