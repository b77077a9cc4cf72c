#!/usr/bin/env bash
# Runs test suites of other projects against quoll, or against Apache ZooKeeper to compare: kazoo's own, which it ships,
# and go-zookeeper/zk's own, with that library ("go") and with compat/zk in its place ("compat"). Shims in
# scripts/peers/shim start quoll where the suites would start Java.
#
#   scripts/foreign-suites.sh                  all, against quoll
#   scripts/foreign-suites.sh kazoo apache     one of them, against Apache ZooKeeper
#   scripts/foreign-suites.sh compat quoll Lock    only tests of go-zookeeper's with such names
#
# Where a test wants three servers it gets an ensemble. The whole takes ten minutes. KEEP_LOG=FILE appends all output of the
# suites to that file.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
peers=${QUOLL_CACHE:-$root/.cache}/peers
suite=${1:-all} subject=${2:-quoll} only=${3:-.}
# Each has ports of its own, so that both subjects can run at once.
case $subject in
quoll) offset=31000 ;;
apache) offset=33000 ;;
*) echo "unknown server: $subject" >&2; exit 2 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

say() { printf '== %s\n' "$*"; }
keep() { [[ -z ${KEEP_LOG:-} ]] || cat "$1" >>"$KEEP_LOG"; }

(cd "$root" && go build -o "$work/quoll" ./cmd/quoll) || exit
export QUOLL_SHIM=$work/quoll

# Its harness needs keys in Java's format, by libraries that still make them.
kazoo() {
  local venv=$peers/kazoo-suite zookeeper=$peers/zookeeper-3.9.4/lib
  if [[ ! -f $venv/.done ]]; then
    python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check \
      -r "$root/scripts/peers/requirements.txt" -r "$root/scripts/peers/kazoo-suite.txt" && touch "$venv/.done" || return
  fi
  local path=$PATH classpath=none
  if [[ $subject == quoll ]]; then
    path=$root/scripts/peers/shim:$PATH
  else
    classpath=$(printf '%s:' "$zookeeper"/*.jar)
  fi
  cd "$work" && PATH=$path ZOOKEEPER_CLASSPATH=$classpath ZOOKEEPER_VERSION=3.9.4 ZOOKEEPER_CLUSTER_SIZE=3 \
    ZOOKEEPER_PORT_OFFSET=$offset "$venv/bin/python" -m pytest -q -p no:cacheprovider --timeout 120 \
    --pyargs kazoo.tests >"$work/kazoo.log" 2>&1
  local failed=$?
  keep "$work/kazoo.log"
  grep -E '^(FAILED|ERROR)|[0-9] passed' "$work/kazoo.log"
  return $failed
}

gozk() {
  local src
  src=$(gozk_source) || return
  cp -r "$src" "$work/zk" && chmod -R u+w "$work/zk" && cd "$work/zk" && gozk_run
}

gozk_source() { (cd "$root/test/clients/go" && GOWORK=off go list -m -f '{{.Dir}}' github.com/go-zookeeper/zk); }

# The same tests with compat/zk in place of what they come with.
compat() {
  local src
  src=$(gozk_source) || return
  mkdir "$work/compat" && cp "$root"/compat/zk/*.go "$root/compat/zk/go.mod" "$work/compat" && cd "$work/compat" &&
    sed -i "s|=> ../..|=> $root|" go.mod && python3 "$root/scripts/peers/gozk-tests.py" "$src" . && gozk_run
}

# The tests wait for a server by srvr, whose date of build the original cannot read since ZooKeeper 3.6: here, that a
# server tells its mode is enough.
gozk_run() {
  local bin=$root/scripts/peers/shim log=$work/gozk.log
  sed -i 's/_, ok := FLWSrvr(serverAddrs, time.Second)/ok := healthy(serverAddrs)/' server_help_test.go
  cat >healthy_test.go <<'GO'
package zk

import (
	"strings"
	"time"
)

func healthy(servers []string) bool {
	for _, s := range servers {
		if answer, err := fourLetterWord(s, "srvr", time.Second); err != nil || !strings.Contains(string(answer), "Mode: ") {
			return false
		}
	}
	return true
}
GO
  [[ $subject == apache ]] && bin=$peers/zookeeper-3.9.4/bin
  JVMFLAGS='-Dzookeeper.4lw.commands.whitelist=*' ZOOKEEPER_BIN_PATH=$bin GOWORK=off go test -vet=off -count 1 -timeout 10m -v \
    -run "$only" . >"$log" 2>&1
  local failed=$?
  grep -E "^--- FAIL|^panic|^FAIL|_test.go:.*(unable|error|failed)" "$log"
  keep "$log"
  printf '%d passed, %d skipped, %d failed\n' "$(grep -c '^--- PASS' "$log")" "$(grep -c '^--- SKIP' "$log")" \
    "$(grep -c '^--- FAIL' "$log")"
  return $failed
}

if [[ $suite == all || $suite == kazoo ]]; then
  say "kazoo's suite on $subject"
  (kazoo) || status=1
fi
if [[ $suite == all || $suite == go ]]; then
  say "go-zookeeper's tests on $subject"
  (gozk) || status=1
fi
if [[ $suite == all || $suite == compat ]]; then
  say "go-zookeeper's tests, with compat/zk, on $subject"
  (compat) || status=1
fi
exit $status
