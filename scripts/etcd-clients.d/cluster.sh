# shellcheck shell=bash
# endpoint health, status, hashkv; move-leader.

check_cluster() {
    local rows leader follower term cluster
    cluster=$(whole_cluster)
    rows=$(status)
    expect "member list" 3 "$(etcdctl member list | grep -c ', started, ')"
    expect "endpoint status $cluster" 3 "$(printf '%s\n' "$rows" | grep -c ', ')"
    expect "one leader" 1 "$(printf '%s\n' "$rows" | awk -F', ' '$5 == "true"' | wc -l)"
    expect "every member reports version 3.5 or newer" 3 "$(printf '%s\n' "$rows" | awk -F', ' '$3 ~ /^3\.[5-9]\./' | wc -l)"
    expect "endpoint health $cluster" 3 "$(etcdctl endpoint health $cluster 2>&1 | grep -c 'is healthy')"
    contains "endpoint health of nobody" 'unhealthy cluster' "$(on 127.0.0.1:1 endpoint health)"
    expect "endpoint hashkv $cluster: all alike" '3 1' "$(hashes | awk -F', ' '{ n++; seen[$2] } END { print n, length(seen) }')"
    leader=$(printf '%s\n' "$rows" | awk -F', ' '$5 == "true" { print $1 }')
    follower=$(printf '%s\n' "$rows" | awk -F', ' '$5 == "false" && !seen++ { print $2 }')
    term=$(printf '%s\n' "$rows" | awk -F', ' '$5 == "true" { print $7 }')
    contains "move-leader" "Leadership transferred from" "$(on "$leader" move-leader "$follower")"
    rows=$(status)
    expect "move-leader went where it was told" "$follower" "$(printf '%s\n' "$rows" | awk -F', ' '$5 == "true" { print $2 }')"
    expect "move-leader began a term" yes "$(printf '%s\n' "$rows" | awk -F', ' -v before="$term" '$5 == "true" && $7 > before { print "yes" }')"
    contains "move-leader asked of a follower" 'no leader endpoint given at' "$(on "$leader" move-leader "$follower")"
    leader=$(printf '%s\n' "$rows" | awk -F', ' '$5 == "true" { print $1 }')
    contains "move-leader to nobody" 'bad leader transferee' "$(on "$leader" move-leader 1234)"
    expect "put after move-leader" OK "$(etcdctl put "$prefix/moved" x)"
}

# Members hash what they have, and may be a moment apart.
hashes() {
    local deadline=$((SECONDS + 15)) seen
    while :; do
        seen=$(etcdctl endpoint hashkv $cluster)
        [ "$(printf '%s\n' "$seen" | cut -d, -f2 | sort -u | wc -l)" = 1 ] || [ "$SECONDS" -ge "$deadline" ] && break
    done
    printf '%s\n' "$seen"
}
