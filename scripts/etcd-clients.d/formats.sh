# shellcheck shell=bash
# -w: simple, json, fields, table, protobuf, of everything that answers. What etcd 3.5's answers look like, without
# their numbers, names and times, is written down in formats.3.4 and formats.3.5; others must look the same.

# The outline of an answer: a field that is missing, or one too many, shows.
shape() {
    sed -E -e 's/(: ?)[0-9]+\b/\1N/g' -e 's#https?://[^", |]*#URL#g' -e 's/[0-9.]+ ?(ms|µs|s|kB|MB|GB|B)\b/SIZE/g' -e "s#$run#RUN#g" \
        -e 's/\b[0-9a-f]{12,16}\b/ID/g' -e 's/\b[0-9]+\b/N/g' -e 's/"name":"[^"]*"/"name":"NAME"/g' -e 's/("Name" : )"[^"]*"/\1"NAME"/' \
        -e 's/, started, [^,]*,/, started, NAME,/' -e 's/(\{"id":N\},?)+/{"id":N}/g' -e 's/[- ]*([|+])[- ]*/\1/g' -e 's/\| started \|[^|]*/|started|NAME/' -e 's/\|started\|[^|]*\|/|started|NAME|/' \
        -e 's/"(key|value)":"[^"]*"/"\1":"BYTES"/g' -e 's/found N leases/found leases/' \
        -e '/^\|?URL/s/true|false/BOOL/g' | uniq
}

# Whose output is one of protobuf's messages, by its size alone: bytes are not text.
outline() {
    local answer=$scratch/answer
    timeout 20 "${program[$version]}" "$@" >"$answer" 2>"$answer.error" || true
    case " $* " in
        *' protobuf '*) [ -s "$answer" ] && echo 'some bytes' ;;
        *) shape <"$answer" ;;
    esac
    # Errors also come as lines of log with addresses and times.
    grep '^Error' "$answer.error" | shape || true
}

answers() {
    local format command
    etcdctl put "$prefix/f" v >/dev/null
    etcdctl compaction "$(revision)" >/dev/null
    for command in "put $prefix/f v" "put $prefix/f v --prev-kv" "get $prefix/f" "get $prefix/none" "del $prefix/none" "put $prefix/g v" "del $prefix/g --prev-kv" \
        "lease grant 100" "lease list" "lease timetolive 1234" "member list" "endpoint health" "endpoint status" "endpoint hashkv" "alarm list" "alarm disarm" \
        "user list" "role list" "role add $run" "role get $run" "role grant-permission $run read k" "role get $run" "role delete $run" \
        "user add $run:p" "user get $run" "user passwd $run --interactive=false" "user delete $run" "compaction 1"; do
        for format in simple json fields table protobuf; do
            case "$command:$format" in
                # What makes and ends something is asked for in one format each.
                'role '[agd]*':'*|'user '[apd]*':'*) [ "$format" = json ] || case "$command" in *' get '*) ;; *) continue ;; esac ;;
            esac
            echo "== ${command//$run/RUN} -w $format"
            # shellcheck disable=SC2086
            outline $command -w $format <<<p
        done
    done
}

check_formats() {
    local wanted=scripts/etcd-clients.d/formats.$version command seen=$scratch/formats
    answers >"$seen"
    if [ "${RECORD_FORMATS:-}" = 1 ]; then cp "$seen" "$wanted"; fi
    while IFS= read -r command; do
        expect "${command#== }" "$(answer_to "$command" "$wanted")" "$(answer_to "$command" "$seen")"
    done < <(grep '^== ' "$wanted" | sort -u)
    # Leases were granted in five formats.
    for command in $(etcdctl lease list | tail -n +2); do
        case "$(etcdctl lease timetolive "$command")" in *'TTL(100s)'*) etcdctl lease revoke "$command" >/dev/null ;; esac
    done
}

answer_to() {
    awk -v wanted="$1" '/^== / { on = $0 == wanted; next } on' "$2"
}
