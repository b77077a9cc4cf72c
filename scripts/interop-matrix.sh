#!/usr/bin/env bash
# Plays every coordination function both ways with Apache Curator, kazoo and Spring Cloud Zookeeper, on Apache ZooKeeper
# and on quoll, and prints what came of it as a matrix.
#
#   scripts/interop-matrix.sh
#   QUOLL_SUBJECTS=quoll scripts/interop-matrix.sh     on quoll alone
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

scripts/install-peers.sh >&2 || exit
log=$(mktemp)
trap 'rm -f "$log"' EXIT
go test -count 1 -timeout 20m -v ./test/interop ./test/naming -run 'TestMatrix|TestSpring' >"$log" 2>&1
status=$?
grep -E '^ +\| ' "$log" | sed -E 's/^ +//'
echo
grep -E '^ *--- (PASS|FAIL): TestSpring/[a-z]+ ' "$log" |
  sed -E 's/^ *--- ([A-Z]+): TestSpring.([a-z]+).*/Spring Boot, configuration and discovery, on \2: \1/'
((status == 0)) || grep -E -A5 '^ *--- FAIL|^FAIL|^panic' "$log" >&2
exit $status
