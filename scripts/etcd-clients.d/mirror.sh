# shellcheck shell=bash
# make-mirror: what there is, then what comes; into another prefix of the same cluster.

mirror() {
    local log=$scratch/mirror tls=()
    [ -z "${ETCDCTL_CACERT:-}" ] || tls+=(--dest-cacert="$ETCDCTL_CACERT" --dest-insecure-transport=false)
    [ -z "${ETCDCTL_CERT:-}" ] || tls+=(--dest-cert="$ETCDCTL_CERT" --dest-key="$ETCDCTL_KEY")
    background "$log" make-mirror "$@" "${tls[@]}" "$(one_endpoint)"
}

check_mirror() {
    etcdctl put "$prefix/from/1" one >/dev/null
    etcdctl put "$prefix/from/2" two >/dev/null
    mirror --prefix="$prefix/from/" --dest-prefix="$prefix/to/"
    wait_for_count 2 "$prefix/to/" --prefix
    expect "make-mirror copies what there is" "$prefix/to/1"$'\n'one$'\n'"$prefix/to/2"$'\n'two "$(etcdctl get "$prefix/to/" --prefix)"
    etcdctl put "$prefix/from/3" three >/dev/null
    etcdctl del "$prefix/from/1" >/dev/null
    wait_for_count 1 "$prefix/to/3"
    wait_until_gone "$prefix/to/1"
    expect "make-mirror follows" "$prefix/to/2"$'\n'two$'\n'"$prefix/to/3"$'\n'three "$(etcdctl get "$prefix/to/" --prefix)"
    stop_last
    # The prefix is cut off, so what is behind it must be a key of ours, too.
    etcdctl put "$prefix/cut/$prefix/rest" kept >/dev/null
    mirror --prefix="$prefix/cut/" --no-dest-prefix
    wait_for_count 1 "$prefix/rest"
    expect "make-mirror --no-dest-prefix" kept "$(etcdctl get "$prefix/rest" --print-value-only)"
    stop_last
}
