# shellcheck shell=bash
# member list, add, update, promote, remove; the members added are never started.

# Where nobody listens, and no member is.
nowhere() { case "$(etcdctl member list)" in *https://*) echo "https://127.0.0.1:$1" ;; *) echo "http://127.0.0.1:$1" ;; esac; }

check_members() {
    local said id existing
    existing=$(etcdctl member list | awk -F', ' 'NR == 1 { print $4 }')
    said=$(etcdctl member add newcomer --learner --peer-urls="$(nowhere 9)")
    id=$(printf '%s\n' "$said" | awk '/^Member/ { print $2 }')
    matches "member add --learner" 'Member +[0-9a-f]+ added to cluster +[0-9a-f]+' "$(printf '%s\n' "$said" | head -n 1)"
    contains "member add tells how to start it" "newcomer=$(nowhere 9)" "$(printf '%s\n' "$said" | grep ETCD_INITIAL_CLUSTER=)"
    contains "member add: ETCD_INITIAL_CLUSTER_STATE" 'ETCD_INITIAL_CLUSTER_STATE="existing"' "$said"
    expect "member list shows it unstarted" "$id, unstarted, , $(nowhere 9), , true" "$(etcdctl member list | grep unstarted)"
    contains "member promote before it caught up" 'can only promote a learner member which is in sync with leader' "$(etcdctl member promote "$id")"
    contains "member add of a second learner" 'too many learner members in cluster' "$(etcdctl member add another --learner --peer-urls="$(nowhere 29)")"
    expect "member update" "Member $id updated" "$(etcdctl member update "$id" --peer-urls="$(nowhere 19)" | sed -E 's/^Member +/Member /; s/ in cluster.*//')"
    # etcd 3.5 forgets here that it is a learner.
    expect "member list after an update" "$id, unstarted, , $(nowhere 19), " "$(etcdctl member list | grep unstarted | sed 's/, [a-z]*$//')"
    expect "member remove" "Member $id removed" "$(etcdctl member remove "$id" | sed -E 's/^Member +/Member /; s/ from cluster.*//')"
    contains "member remove again" 'member not found' "$(etcdctl member remove "$id")"
    expect "three members again" 3 "$(etcdctl member list | grep -c .)"
    contains "member add of an address that is taken" 'Peer URLs already exists' "$(etcdctl member add x --peer-urls="$existing")"
    contains "member update of nobody" 'member not found' "$(etcdctl member update 1234 --peer-urls="$(nowhere 9)")"
    contains "member promote of nobody" 'member not found' "$(etcdctl member promote 1234)"
    contains "member promote of a voter" 'can only promote a learner member' "$(etcdctl member promote "$(etcdctl member list | head -n 1 | cut -d, -f1)")"
    said=$(etcdctl member add voter --peer-urls="$(nowhere 9)")
    id=$(printf '%s\n' "$said" | awk '/^Member/ { print $2 }')
    matches "member add of a voter" 'Member +[0-9a-f]+ added to cluster +[0-9a-f]+' "$(printf '%s\n' "$said" | head -n 1)"
    expect "put with a voter that is not there" OK "$(etcdctl put "$prefix/four" x)"
    contains "member remove of a voter" "removed from cluster" "$(etcdctl member remove "$id")"
    expect "put after all that" OK "$(etcdctl put "$prefix/three" x)"
}
