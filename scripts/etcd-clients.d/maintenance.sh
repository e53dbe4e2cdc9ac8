# shellcheck shell=bash
# compaction, snapshot, alarm, defrag; version and completion.

check_maintenance() {
    local first last cluster
    cluster=$(whole_cluster)
    contains "snapshot save" "Snapshot saved at $scratch/snapshot" "$(on "$(one_endpoint)" snapshot save "$scratch/snapshot")"
    expect "the snapshot holds something" yes "$([ -s "$scratch/snapshot" ] && echo yes)"
    contains "snapshot save from several" 'snapshot must be requested to one selected node' "$(etcdctl snapshot save "$scratch/none")"
    check_snapshot_file
    etcdctl put "$prefix/m" 1 >/dev/null
    first=$(revision)
    etcdctl put "$prefix/m" 2 >/dev/null
    last=$(revision)
    expect "compaction" "compacted revision $last" "$(etcdctl compaction "$last")"
    contains "compaction of the same revision" 'required revision has been compacted' "$(etcdctl compaction "$last")"
    contains "compaction of the future" 'required revision is a future revision' "$(etcdctl compaction 999999999)"
    contains "get of a compacted revision" 'required revision has been compacted' "$(etcdctl get "$prefix/m" --rev="$first")"
    expect "get of the compaction's own revision" 2 "$(etcdctl get "$prefix/m" --print-value-only --rev="$last")"
    contains "watch from a compacted revision" 'required revision has been compacted' "$(etcdctl watch "$prefix/m" --rev="$first" </dev/null)"
    etcdctl put "$prefix/m" 3 >/dev/null
    last=$(revision)
    expect "compaction --physical" "compacted revision $last" "$(etcdctl compaction "$last" --physical)"
    expect "defrag $cluster" 3 "$(etcdctl defrag $cluster | grep -c 'Finished defragmenting etcd member\[')"
    expect "alarm list" '' "$(etcdctl alarm list)"
    expect "alarm disarm" '' "$(etcdctl alarm disarm)"
    matches "version" 'etcdctl version: 3\.[45]\.[0-9]+'$'\n''API version: 3\.[45]' "$(etcdctl version)"
    for shell in bash fish powershell zsh; do
        contains "completion $shell" etcdctl "$(etcdctl completion $shell)"
    done
}

# etcd's file is a bbolt database that etcdctl opens by itself. ChainFire's is not, and that is a named exemption
# (docs/ops/chainfire.md): etcdctl finds it whole by its hash and then says that it is no such database.
check_snapshot_file() {
    local said
    local no_database='invalid database|file size too small|cannot open database|failed to open database'
    if [ "$(head -c 15 "$scratch/snapshot" | tr -d '\0')" = "chainfire image" ]; then
        expect "snapshot status of an image" yes "$(etcdctl snapshot status "$scratch/snapshot" | grep -qE "$no_database" && echo yes)"
        said=$(etcdctl snapshot restore "$scratch/snapshot" --data-dir "$scratch/restored")
        expect "snapshot restore of an image" yes "$(printf '%s\n' "$said" | grep -qE "$no_database" && echo yes)"
    else
        matches "snapshot status" '[0-9a-f]+, [0-9]+, [0-9]+, .*' "$(etcdctl snapshot status "$scratch/snapshot" | tail -n 1)"
        etcdctl snapshot restore "$scratch/snapshot" --data-dir "$scratch/restored" >/dev/null
        expect "snapshot restore" yes "$([ -d "$scratch/restored/member" ] && echo yes)"
    fi
    rm -rf "$scratch/restored"
}
