# shellcheck shell=bash
# watch: by the command line, interactively, with a command for each event.

check_watch() {
    local file=$scratch/watch began
    began=$(($(revision) + 1))
    background "$file" watch "$prefix/w" --prefix --prev-kv --rev="$began"
    etcdctl put "$prefix/w1" x >/dev/null
    etcdctl put "$prefix/w1" y >/dev/null
    etcdctl del "$prefix/w1" >/dev/null
    wait_for_lines "$file" 13
    stop_last
    expect "watch: put, put over it, delete" \
        PUT$'\n'"$prefix/w1"$'\n'x$'\n'PUT$'\n'"$prefix/w1"$'\n'x$'\n'"$prefix/w1"$'\n'y$'\n'DELETE$'\n'"$prefix/w1"$'\n'y$'\n'"$prefix/w1" "$(cat "$file")"

    background "$file" watch "$prefix/w1" --rev="$began"
    wait_for_lines "$file" 9
    stop_last
    expect "watch from an old revision replays" PUT$'\n'"$prefix/w1"$'\n'x$'\n'PUT$'\n'"$prefix/w1"$'\n'y$'\n'DELETE$'\n'"$prefix/w1" "$(cat "$file")"

    background "$file" watch "$prefix/w" "$prefix/x" --rev="$began"
    wait_for_lines "$file" 9
    stop_last
    expect "watch of a range" 9 "$(wc -l <"$file")"

    background "$file" watch "$prefix/w1" --rev="$began" -w json
    wait_for_lines "$file" 1
    stop_last
    contains "watch -w json" '"CompactRevision":0' "$(cat "$file")"

    background "$file" watch "$prefix/w1" --rev=$((began + 1)) -- sh -c 'echo "$ETCD_WATCH_REVISION $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"'
    wait_for_lines "$file" 8
    stop_last
    contains "watch with a command" "$(revision)"' "PUT" "'"$prefix/w1"'" "y"' "$(cat "$file")"

    check_watch_interactive "$file" "$began"
    [ "$version" = 3.4 ] || check_watch_progress
}

check_watch_interactive() {
    local file=$1 began=$2
    : >"$file"
    # It ends with its input, so that must last until it has said everything.
    {
        printf 'watch %s --rev=%s\nwatch --rev=%s %s %s\n' "$prefix/w1" "$began" "$began" "$prefix/w" "$prefix/x"
        wait_for_lines "$file" 18
        echo progress
        wait_for_lines "$file" 19
    } \
        | timeout 20 "${program[$version]}" watch -i >"$file" 2>/dev/null || true
    expect "watch -i, two watchers" 6 "$(grep -cE '^(PUT|DELETE)$' "$file")"
    contains "watch -i, progress" 'progress notify: '"$(revision)" "$(cat "$file")"
}

# Notifications come when there was nothing for ten minutes: that it is accepted is what can be seen.
check_watch_progress() {
    local file=$scratch/watch
    background "$file" watch "$prefix/p" --progress-notify
    until_watched "$prefix/p" "$file"
    stop_last
    contains "watch --progress-notify" "$prefix/p" "$(cat "$file")"
}

# Writes to KEY until the watcher whose output is FILE has heard of it.
until_watched() {
    local deadline=$((SECONDS + 15))
    until [ -s "$2" ] || [ "$SECONDS" -ge "$deadline" ]; do etcdctl put "$1" x >/dev/null; done
}
