# shellcheck shell=bash
# txn.

check_txn() {
    etcdctl put "$prefix/t" 1 >/dev/null
    local script='value("'$prefix/t'") = "1"

put '$prefix/t' 2
get '$prefix/t'

put '$prefix/t' wrong

'
    expect "txn, comparison true" SUCCESS$'\n\n'OK$'\n\n'"$prefix/t"$'\n'2 "$(printf '%s' "$script" | etcdctl txn)"
    expect "txn, comparison false" FAILURE$'\n\n'OK "$(printf '%s' "$script" | etcdctl txn)"
    expect "txn took the other branch" wrong "$(etcdctl get "$prefix/t" --print-value-only)"
    contains "txn -i" FAILURE$'\n\n'OK "$(printf '%s' "$script" | etcdctl txn -i)"
    script='create("'$prefix/new'") = "0"
version("'$prefix/t'") > "1"
mod("'$prefix/t'") < "999999999"

put '$prefix/new' made
del '$prefix/t'


'
    expect "txn, create, version and mod" SUCCESS$'\n\n'OK$'\n\n'1 "$(printf '%s' "$script" | etcdctl txn)"
    expect "txn deleted" '' "$(etcdctl get "$prefix/t")"
    script='value("'$prefix/new'") > "l"
mod("'$prefix/new'") > "0"

get '$prefix/' --prefix --keys-only
del '$prefix/' --prefix --prev-kv


'
    expect "txn, ranges" SUCCESS$'\n\n'"$prefix/new"$'\n\n\n'1$'\n'"$prefix/new"$'\n'made "$(printf '%s' "$script" | etcdctl txn)"
    contains "txn with a key twice" 'duplicate key given in txn request' "$(printf '\nput %s/d 1\nput %s/d 2\n\n\n' "$prefix" "$prefix" | etcdctl txn)"
    contains "txn of too many operations" 'too many operations in txn request' "$({ echo; for i in $(seq 129); do echo "put $prefix/$i x"; done; echo; echo; } | etcdctl txn)"
}
