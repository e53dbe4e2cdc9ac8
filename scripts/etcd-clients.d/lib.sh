# shellcheck shell=bash
# How checks are made and counted. Sourced by scripts/etcd-clients.

passed=0 failed=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/etcd-clients.XXXXXX")
run=etcd-clients/${scratch##*.}
running=()
versions=(3.4 3.5)
declare -A program=(
    [3.4]=$(scripts/fetch-deb etcd-client bookworm)/usr/bin/etcdctl
    [3.5]=$ULTRACLOUD_ETCDCTL
)
trap 'stop_all; rm -rf "$scratch"' EXIT

use_version() {
    version=$1
    prefix=$run/$version
}

# Both outputs, without the log of what was tried again; how it ended is told by what it says.
etcdctl() { timeout 20 "${program[$version]}" "$@" 2>&1 | grep -v '^{"level":"warn".*"retrying of unary invoker failed"' || true; }

# on ENDPOINTS COMMAND…: the same, asked elsewhere.
on() { local ETCDCTL_ENDPOINTS=$1; shift; export ETCDCTL_ENDPOINTS; etcdctl "$@"; }

# expect NAME WANTED SEEN
expect() {
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); echo "ok      $version: $1"; return; fi
    failed=$((failed + 1))
    printf 'FAILED  %s: %s\n  wanted: %s\n  seen:   %s\n' "$version" "$1" "${2//$'\n'/ | }" "${3//$'\n'/ | }"
}

# contains NAME PART SEEN
contains() {
    case "$3" in *"$2"*) expect "$1" ok ok ;; *) expect "$1" "…$2…" "$3" ;; esac
}

# matches NAME EXTENDED_REGEX SEEN, which must match as a whole
matches() {
    if [[ $3 =~ ^($2)$ ]]; then expect "$1" ok ok; else expect "$1" "/$2/" "$3"; fi
}

# background FILE COMMAND…: runs etcdctl with its output in FILE until stop_all, or until it ends.
background() {
    local file=$1
    shift
    : >"$file"
    "${program[$version]}" "$@" >"$file" 2>&1 </dev/null &
    running+=("$!")
}

# Asks the last one to end (or kills it: KILL), and waits for it.
stop_last() {
    local pid=${running[-1]}
    unset 'running[-1]'
    kill -"${1:-TERM}" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

stop_all() { while [ "${#running[@]}" -gt 0 ]; do stop_last; done; }

# Waits until FILE holds at least N lines; the caller compares what is there.
wait_for_lines() {
    local deadline=$((SECONDS + 15))
    until [ "$(wc -l <"$1")" -ge "$2" ] || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.05; done
}

# Waits until KEYS… (as of get) are no more, or are N.
wait_until_gone() { wait_for_count 0 "$@"; }
wait_for_count() {
    local wanted=$1 deadline=$((SECONDS + 15))
    shift
    until [ "$(etcdctl get "$@" --keys-only | grep -c .)" = "$wanted" ] || [ "$SECONDS" -ge "$deadline" ]; do :; done
}

revision() { etcdctl get "$prefix/none" -w fields | sed -n 's/^"Revision" : //p'; }

# endpoint, id, version, size, leads, learner, term, index, applied, errors
status() { etcdctl endpoint status $cluster -w simple; }

# Members of a test cluster advertise addresses of their own network, which the host does not reach: then
# the endpoints are asked as they were given.
whole_cluster() {
    local advertised
    advertised=$(etcdctl member list | head -n1 | awk -F', ' '{ print $5 }')
    case ",$ETCDCTL_ENDPOINTS," in *",$advertised,"*) echo --cluster ;; esac
}

one_endpoint() { printf '%s' "${ETCDCTL_ENDPOINTS%%,*}"; }
