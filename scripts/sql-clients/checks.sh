# shellcheck shell=bash
# What psql.sh and pgbench.sh share. Sourced, never run.

client=${client:?}
checks=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/sql-clients.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

broken() { printf '%s: %s\n' "$client" "$*" >&2; exit 1; }

# psql without the user's own settings; values apart by |, nothing else around them.
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

# What, what came, what should have come.
eq() {
    [ "$2" = "$3" ] || broken "$1: got [$2] instead of [$3]"
    checks=$((checks + 1))
}

# What, SQLSTATE, statement: the statement must fail with it.
fails() {
    local said
    if said=$(sql -v VERBOSITY=sqlstate -c "$3" 2>&1); then broken "$1: no error"; fi
    eq "$1" "${said##*ERROR:  }" "$2"
}

# The same query again while no node answers.
patiently() {
    local end=$((SECONDS + ${PATIENCE:-60}))
    until "$@" 2>"$scratch/said"; do
        [ "$SECONDS" -lt "$end" ] || broken "gave up on: $*: $(tail -n 3 "$scratch/said")"
        sleep 0.2
    done
}

report() { printf '{"client": "%s", "checks": %d, "acknowledged": %d, "retries": %d}\n' "$client" "$checks" "$1" "$2"; }
