# shellcheck shell=bash
# lock: etcdctl makes it of a lease, a transaction and a watch.

# A program that says which lock it runs under, and ends with 3.
lock_witness() {
    printf '#!/bin/sh\necho "$ETCD_LOCK_KEY $ETCD_LOCK_REV"\nexit 3\n' >"$scratch/witness"
    chmod +x "$scratch/witness"
}

check_lock() {
    local first=$scratch/first second=$scratch/second
    lock_witness
    matches "lock with a command" "$prefix/l/[0-9a-f]+ [0-9]+"$'(\nError: exit status 3)?' "$(etcdctl lock "$prefix/l" "$scratch/witness")"
    wait_until_gone "$prefix/l/" --prefix
    expect "a command's lock is free after it" '' "$(etcdctl get "$prefix/l/" --prefix)"

    background "$first" lock "$prefix/l" --ttl=5
    wait_for_lines "$first" 1
    background "$second" lock "$prefix/l"
    wait_for_count 2 "$prefix/l/" --prefix
    expect "a second contender waits" '' "$(cat "$second")"
    expect "the lock is its holder's key" "$(head -n 1 "$first")" "$(etcdctl get "$prefix/l/" --prefix --keys-only --sort-by=CREATE --limit=1)"
    kill "${running[0]}"
    wait_for_lines "$second" 1
    expect "the lock goes to the next" "$(head -n 1 "$second")" "$(etcdctl get "$prefix/l/" --prefix --keys-only)"
    stop_all
    wait_until_gone "$prefix/l/" --prefix
    expect "who is stopped lets go" '' "$(etcdctl get "$prefix/l/" --prefix)"

    background "$first" lock "$prefix/l" --ttl=1
    wait_for_lines "$first" 1
    stop_last KILL
    background "$second" lock "$prefix/l"
    wait_for_lines "$second" 1
    matches "who dies lets go when its lease ends" "$prefix/l/[0-9a-f]+" "$(cat "$second")"
    stop_all
}
