#!/usr/bin/env bash
# Installs what the black-box tests talk to: Apache ZooKeeper (server and Java client of 3.9 and 3.8), Curator, kazoo, the
# C client, node-zookeeper-client and go-zookeeper. Everything but Debian's own packages goes to .cache/peers in the checkout
# (QUOLL_CACHE names another directory). A second run finds its own stamps and returns at once.
#
#   scripts/install-peers.sh                 everything the tests need
#   scripts/install-peers.sh zookeeper 3.8.6 only Apache ZooKeeper, in that version
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$root/scripts/peers
cache=${QUOLL_CACHE:-$root/.cache}
peers=$cache/peers
default_version=3.9.4
older_version=3.8.6
failures=()

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$root/scripts/install-peers.sh"; }
say() { printf 'peers: %s\n' "$*"; }
missing() { failures+=("$1"); printf 'peers: MISSING %s\n' "$1" >&2; }

# fresh NAME FILE...: true if NAME was installed from exactly these inputs before.
fresh() {
  local name=$1 stamp=$peers/.stamp-$1
  shift
  [[ -f $stamp && $(<"$stamp") == "$(cat "$@" | cksum)" ]]
}
stamp() {
  local name=$1
  shift
  cat "$@" | cksum >"$peers/.stamp-$name"
}

# Debian packages, each with a file that tells that what it brings is already there, from wherever.
debian() {
  local want=()
  command -v javac >/dev/null && command -v keytool >/dev/null || want+=(default-jdk-headless)
  command -v mvn >/dev/null || want+=(maven)
  command -v npm >/dev/null || want+=(nodejs npm)
  command -v gcc >/dev/null || want+=(gcc libc6-dev)
  command -v openssl >/dev/null || want+=(openssl)
  command -v ip >/dev/null || want+=(iproute2)
  command -v nsenter >/dev/null && command -v unshare >/dev/null || want+=(util-linux)
  python3 -c 'import ensurepip' 2>/dev/null || want+=(python3 python3-venv)
  [[ -f /usr/include/zookeeper/zookeeper.h ]] || want+=(libzookeeper-mt-dev)
  [[ -x /usr/lib/zookeeper/bin/cli_mt ]] || want+=(zookeeper-bin)
  ((${#want[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    missing "Debian packages ${want[*]}: there is no apt-get here; install their like by hand"
    return
  fi
  if ((EUID != 0)); then
    missing "Debian packages ${want[*]}: run as root, or: sudo apt-get install ${want[*]}"
    return
  fi
  say "apt-get install ${want[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local log=$peers/apt.log
  if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${want[@]}"; } >"$log" 2>&1; then
    tail -5 "$log" >&2
    missing "Debian packages ${want[*]} (apt-get failed, see $log)"
  fi
}

# jars POM DIR [MVN-ARGS]: copies what POM names into DIR, all or nothing.
jars() {
  local pom=$1 dir=$2 tmp=$2.tmp
  shift 2
  rm -rf "$tmp"
  if ! mvn -q -B -f "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$tmp" "$@" >"$peers/mvn.log" 2>&1; then
    grep -m5 ERROR "$peers/mvn.log" >&2
    return 1
  fi
  rm -rf "$dir" && mv "$tmp" "$dir"
}

# zookeeper VERSION: server and client jars, and small wrappers with the names people know.
zookeeper() {
  local version=$1 dir=$peers/zookeeper-$1 pom=$here/zookeeper/pom.xml
  case $version in 3.4.* | 3.5.*) pom=$here/zookeeper-old/pom.xml ;; esac
  local inputs=("$pom" "$here/zkCli.sh" "$here/zkServer.sh" "$here/logback.xml")
  fresh "zookeeper-$version" "${inputs[@]}" && [[ -d $dir/lib ]] && return
  say "Apache ZooKeeper $version"
  mkdir -p "$dir/bin" "$dir/conf"
  # Its Prometheus provider is not published for every release; the server runs without it.
  if ! jars "$pom" "$dir/lib" -Dzookeeper.version="$version" -Pprometheus 2>/dev/null &&
    ! jars "$pom" "$dir/lib" -Dzookeeper.version="$version"; then
    missing "Apache ZooKeeper $version (Maven failed, see $peers/mvn.log)"
    return
  fi
  install -m 755 "$here/zkCli.sh" "$here/zkServer.sh" "$dir/bin/"
  install -m 644 "$here/logback.xml" "$here/log4j.properties" "$dir/conf/"
  stamp "zookeeper-$version" "${inputs[@]}"
}

curator() {
  fresh curator "$here/curator/pom.xml" && [[ -d $peers/curator/lib ]] && return
  say "Apache Curator"
  mkdir -p "$peers/curator"
  if jars "$here/curator/pom.xml" "$peers/curator/lib"; then
    stamp curator "$here/curator/pom.xml"
  else
    missing "Apache Curator (Maven failed, see $peers/mvn.log)"
  fi
}

spring() {
  fresh spring "$here/spring/pom.xml" && [[ -d $peers/spring/lib ]] && return
  say "Spring Cloud Zookeeper"
  mkdir -p "$peers/spring"
  if jars "$here/spring/pom.xml" "$peers/spring/lib"; then
    stamp spring "$here/spring/pom.xml"
  else
    missing "Spring Cloud Zookeeper (Maven failed, see $peers/mvn.log)"
  fi
}

kazoo() {
  fresh kazoo "$here/requirements.txt" && [[ -x $peers/venv/bin/python ]] && return
  say "kazoo"
  if python3 -m venv --clear "$peers/venv" >"$peers/pip.log" 2>&1 &&
    "$peers/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >>"$peers/pip.log" 2>&1; then
    stamp kazoo "$here/requirements.txt"
  else
    tail -3 "$peers/pip.log" >&2
    missing "kazoo (see $peers/pip.log)"
  fi
}

node_client() {
  fresh node "$here/node/package.json" && [[ -d $peers/node/node_modules/node-zookeeper-client ]] && return
  say "node-zookeeper-client"
  mkdir -p "$peers/node"
  cp "$here/node/package.json" "$peers/node/"
  if (cd "$peers/node" && npm install --no-audit --no-fund --loglevel=error) >"$peers/npm.log" 2>&1; then
    stamp node "$here/node/package.json"
  else
    tail -3 "$peers/npm.log" >&2
    missing "node-zookeeper-client (see $peers/npm.log)"
  fi
}

go_client() {
  local mod=$root/test/clients/go
  fresh go "$mod/go.mod" "$mod/go.sum" && return
  say "go-zookeeper"
  if (cd "$mod" && GOWORK=off go mod download) >"$peers/go.log" 2>&1; then
    stamp go "$mod/go.mod" "$mod/go.sum"
  else
    tail -3 "$peers/go.log" >&2
    missing "go-zookeeper (see $peers/go.log)"
  fi
}

main() {
  case "$#:${1:-}" in
    0: | 1:zookeeper | 2:zookeeper) ;;
    *:-h | *:--help) usage; exit ;;
    *) { echo "unknown arguments: $*"; usage; } >&2; exit 2 ;;
  esac
  mkdir -p "$peers" || { missing "a cache directory: $peers cannot be made; QUOLL_CACHE names another"; exit 1; }
  exec 9>"$peers/.lock" # two test runs may start at once
  flock 9
  debian
  if [[ ${1:-} == zookeeper ]]; then
    zookeeper "${2:-$default_version}"
  else
    zookeeper "$default_version"
    zookeeper "$older_version"
    curator
    spring
    kazoo
    node_client
    go_client
  fi
  if ((${#failures[@]})); then
    say "not everything could be installed; the tests that need it will fail:"
    printf 'peers:   - %s\n' "${failures[@]}"
    exit 1
  fi
  say "ready in $peers"
}

main "$@"
