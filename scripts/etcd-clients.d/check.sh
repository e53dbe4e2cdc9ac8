# shellcheck shell=bash
# check perf and check datascale, the smallest of each. How fast a cluster is is the benchmark's to judge: here they must
# run to their end without an error and give a verdict on it.

check_check() {
    local perf
    perf=$(check_for 120 perf --load=s --prefix="$prefix/perf/" --auto-compact=true --auto-defrag=true)
    contains "check perf" 'Throughput ' "$perf"
    expect "check perf, no errors" '' "$(printf '%s\n' "$perf" | grep -iE 'error|too many' || true)"
    expect "check perf leaves nothing behind" '' "$(etcdctl get "$prefix/perf/" --prefix --keys-only --limit=1)"
    # It reads /metrics without its own --cacert, --cert and --key, so that over TLS it gets nowhere, beside etcd either.
    local verdict='Approximate system memory used'
    [ -z "${ETCDCTL_CACERT:-}" ] || verdict='Could not read process_resident_memory_bytes before the put operations'
    contains "check datascale" "$verdict" "$(check_for 120 datascale --load=s --prefix="$prefix/scale/" --auto-compact=true --auto-defrag=true)"
}

check_for() {
    local seconds=$1
    shift
    # Progress is drawn over itself: the last of each line is what stays.
    ETCDCTL_ENDPOINTS=$(one_endpoint) timeout "$seconds" "${program[$version]}" check "$@" --command-timeout=60s 2>&1 | tr '\r' '\n' | grep -vE '^ *[0-9]+ ?/ ?[0-9]+ |%' || true
}
