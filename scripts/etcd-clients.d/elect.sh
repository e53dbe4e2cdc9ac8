# shellcheck shell=bash
# elect: campaigning, observing, resigning.

check_elect() {
    local me=$scratch/me you=$scratch/you seen=$scratch/seen
    background "$me" elect "$prefix/e" me
    wait_for_lines "$me" 2
    matches "elect" "$prefix/e/[0-9a-f]+"$'\n'me "$(cat "$me")"
    background "$seen" elect --listen "$prefix/e"
    wait_for_lines "$seen" 2
    background "$you" elect "$prefix/e" you
    wait_for_count 2 "$prefix/e/" --prefix
    expect "a second candidate waits" '' "$(cat "$you")"
    kill "${running[0]}"
    wait_for_lines "$you" 2
    matches "the election goes on when the leader resigns" "$prefix/e/[0-9a-f]+"$'\n'you "$(cat "$you")"
    wait_for_lines "$seen" 4
    expect "elect --listen hears of both" "$(cat "$me" "$you")" "$(cat "$seen")"
    stop_all
    wait_until_gone "$prefix/e/" --prefix
    expect "elections leave nothing behind" '' "$(etcdctl get "$prefix/e/" --prefix)"
}
