#!/usr/bin/env bash
# Runs fuzz targets of one package, one after the other, each for FUZZTIME on one core. The package is built once.
# What they find is kept where the go command keeps it: failures in testdata/fuzz, inputs of interest in its cache.
#
#   FUZZTIME=10s scripts/fuzz.sh ./internal/tree FuzzApply FuzzLoad
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

package=./${1#./}
shift
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$package" || exit 1
go test -c -fuzz "$1" -o "$work/fuzz" . || exit 1
cache=$(go env GOCACHE)/fuzz/$(go list .)

# Where goroutines take turns the fuzzer sees something new in an input that has nothing, and spends a minute making that
# smaller: a few tries have to do.
status=0
for target in "$@"; do
  if "$work/fuzz" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "${FUZZTIME:-3s}" -test.parallel 1 \
    -test.fuzzminimizetime 10x -test.fuzzcachedir "$cache" >"$work/log" 2>&1; then
    echo "ok  $package $target"
  # The fuzzer sometimes takes the end of its own time for a failure of the target; a real one leaves the input that fails.
  elif grep -q 'context deadline exceeded' "$work/log" && ! grep -q 'Failing input written' "$work/log"; then
    echo "ok  $package $target (ended by the clock)"
  else
    status=1
    cat "$work/log"
    echo "FAIL $package $target: rerun: go test -run ^\$ -fuzz ^$target\$ $package"
  fi
done
exit $status
