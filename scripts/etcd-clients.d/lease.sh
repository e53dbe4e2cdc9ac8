# shellcheck shell=bash
# lease grant, revoke, timetolive, list, keep-alive.

grant() { etcdctl lease grant "$1" | cut -d' ' -f2; }

check_lease() {
    local id file=$scratch/lease
    matches "lease grant" 'lease [0-9a-f]+ granted with TTL\(100s\)' "$(etcdctl lease grant 100)"
    id=$(grant 100)
    expect "put --lease" OK "$(etcdctl put "$prefix/leased" x --lease="$id")"
    contains "lease timetolive --keys" "attached keys([$prefix/leased])" "$(etcdctl lease timetolive "$id" --keys)"
    matches "lease timetolive" "lease $id granted with TTL\(100s\), remaining\([0-9]+s\)" "$(etcdctl lease timetolive "$id")"
    contains "lease list" "$id" "$(etcdctl lease list)"
    contains "lease keep-alive --once" "lease $id keepalived with TTL(100)" "$(etcdctl lease keep-alive "$id" --once)"
    expect "lease revoke" "lease $id revoked" "$(etcdctl lease revoke "$id")"
    expect "lease revoke took the key" '' "$(etcdctl get "$prefix/leased")"
    contains "revoking it again" 'requested lease not found' "$(etcdctl lease revoke "$id")"
    contains "put with an unknown lease" 'requested lease not found' "$(etcdctl put "$prefix/leased" x --lease=7fffffff)"
    contains "timetolive of an unknown lease" 'already expired' "$(etcdctl lease timetolive 7fffffff)"
    contains "keep-alive of an unknown lease" 'lease 000000007fffffff expired or revoked' "$(etcdctl lease keep-alive 7fffffff)"

    id=$(grant 2)
    etcdctl put "$prefix/short" x --lease="$id" >/dev/null
    background "$file" lease keep-alive "$id"
    wait_for_lines "$file" 6
    expect "lease keep-alive keeps it alive" "lease $id keepalived with TTL(2)" "$(sort -u "$file")"
    expect "a lease that is kept alive keeps its key" x "$(etcdctl get "$prefix/short" --print-value-only)"
    stop_last
    wait_until_gone "$prefix/short"
    expect "a lease that runs out takes its key" '' "$(etcdctl get "$prefix/short")"
}
