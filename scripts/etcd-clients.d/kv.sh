# shellcheck shell=bash
# put, get, del.

check_kv() {
    expect put OK "$(etcdctl put "$prefix/a" one)"
    expect "get" "$prefix/a"$'\n'one "$(etcdctl get "$prefix/a")"
    expect "get, value only" one "$(etcdctl get "$prefix/a" --print-value-only)"
    expect "get --hex" "$(printf '%s' "$prefix/a" | xxd -p | tr -d '\n' | sed 's/../\\x&/g')"$'\n''\x6f\x6e\x65' "$(etcdctl get "$prefix/a" --hex)"
    expect "put --prev-kv" OK$'\n'"$prefix/a"$'\n'one "$(etcdctl put "$prefix/a" two --prev-kv)"
    expect "put --ignore-lease" OK "$(etcdctl put "$prefix/a" two --ignore-lease)"
    expect "put --ignore-value" OK "$(etcdctl put "$prefix/a" --ignore-value)"
    contains "put --ignore-value of nothing" 'key not found' "$(etcdctl put "$prefix/none" --ignore-value)"
    expect "get at an old revision" one "$(etcdctl get "$prefix/a" --print-value-only --rev=$(($(revision) - 3)))"
    expect "get of nothing" '' "$(etcdctl get "$prefix/none")"
    expect "put of an empty value" OK "$(etcdctl put "$prefix/b" '')"
    expect "put from standard input" OK "$(printf 'three\nlines\n' | etcdctl put "$prefix/c")"
    expect "get --prefix --keys-only" "$prefix/a"$'\n\n'"$prefix/b"$'\n\n'"$prefix/c" "$(etcdctl get "$prefix/" --prefix --keys-only)"
    [ "$version" = 3.4 ] || contains "get --count-only" '"Count" : 3' "$(etcdctl get "$prefix/" --prefix --count-only -w fields)"
    expect "get --limit" "$prefix/a" "$(etcdctl get "$prefix/" --prefix --keys-only --limit=1)"
    expect "get --order DESCEND" "$prefix/c" "$(etcdctl get "$prefix/" --prefix --keys-only --order=DESCEND --sort-by=KEY --limit=1)"
    expect "get --sort-by MODIFY" "$prefix/a" "$(etcdctl get "$prefix/" --prefix --keys-only --order=ASCEND --sort-by=MODIFY --limit=1)"
    expect "get --sort-by CREATE" "$prefix/c" "$(etcdctl get "$prefix/" --prefix --keys-only --order=DESCEND --sort-by=CREATE --limit=1)"
    expect "get --sort-by VERSION" "$prefix/a" "$(etcdctl get "$prefix/" --prefix --keys-only --order=DESCEND --sort-by=VERSION --limit=1)"
    expect "get --sort-by VALUE" "$prefix/b" "$(etcdctl get "$prefix/" --prefix --keys-only --order=ASCEND --sort-by=VALUE --limit=1)"
    expect "get of a range" "$prefix/a" "$(etcdctl get "$prefix/a" "$prefix/b" --keys-only)"
    expect "get --from-key" "$prefix/b" "$(etcdctl get "$prefix/b" --from-key --keys-only --limit=1)"
    expect "get, serializable" two "$(etcdctl get "$prefix/a" --print-value-only --consistency=s)"
    contains "get of a future revision" 'required revision is a future revision' "$(etcdctl get "$prefix/a" --rev=999999999)"
    contains "put of an empty key" 'key is not provided' "$(etcdctl put '' x)"
    contains "an oversized put" 'etcdserver: request is too large' "$(head -c 1600000 /dev/zero | tr '\0' x | etcdctl put "$prefix/big")"
    expect "del" 1 "$(etcdctl del "$prefix/b")"
    expect "del of nothing" 0 "$(etcdctl del "$prefix/b")"
    expect "del of a range" 1 "$(etcdctl put "$prefix/d" x >/dev/null; etcdctl del "$prefix/d" "$prefix/e" | tail -n 1)"
    expect "del --from-key" 2 "$(etcdctl put "$prefix/zz1" >/dev/null x; etcdctl put "$prefix/zz2" x >/dev/null; del_from_key)"
    expect "del --prefix --prev-kv" 2$'\n'"$prefix/a"$'\n'two$'\n'"$prefix/c"$'\n'three$'\n'lines "$(etcdctl del "$prefix/" --prefix --prev-kv)"
}

# Nobody else's keys: only if there are none behind ours.
del_from_key() {
    if [ "$(etcdctl get "$prefix/zz1" --from-key --keys-only | grep -c .)" = 2 ]; then
        etcdctl del "$prefix/zz1" --from-key
    else
        etcdctl del "$prefix/zz" --prefix
    fi
}
