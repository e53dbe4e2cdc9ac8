#!/usr/bin/env bash
# pgbench 15: its own tables (-i -s 1, with its own names) and its TPC-B script in each of the three query modes.
# DURATION seconds of each mode. After a lost connection it starts again, and holds the history against its own counts.
set -euo pipefail
client=pgbench
# shellcheck source=scripts/sql-clients/checks.sh
. "$(dirname "$0")/checks.sh"
acknowledged=0 unclear=0 retries=0

# One run of MODE for SECONDS: adds to what was acknowledged, and to what may or may not have been committed.
run_once() {
    local rc=0 number
    timeout $(($2 + ${PATIENCE:-60})) pgbench -n -c "${WORKERS:-2}" -j "${WORKERS:-2}" -T "$2" -M "$1" --max-tries=1000 \
        >"$scratch/out" 2>"$scratch/error" || rc=$?
    number=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$scratch/out")
    acknowledged=$((acknowledged + ${number:-0}))
    number=$(sed -n 's/^total number of retries: \([0-9]*\).*/\1/p' "$scratch/out")
    retries=$((retries + ${number:-0}))
    eq "failed transactions" "$(sed -n 's/^number of failed transactions: \([0-9]*\).*/\1/p' "$scratch/out")" \
        "$(grep -q '^number of failed' "$scratch/out" && echo 0)"
    # Of a run that had to be ended nothing is known.
    if [ "$rc" = 124 ]; then unclear=1000000000; elif [ "$rc" != 0 ]; then unclear=$((unclear + ${WORKERS:-2})); fi
    return "$rc"
}

lost() { [ ! -s "$scratch/error" ] || grep -Eq 'connection|server closed|terminat|could not|timeout|no response|shutting down' "$scratch/error"; }

run_mode() {
    local mode=$1 end=$((SECONDS + ${DURATION:-5})) since=$SECONDS left before
    while left=$((end - SECONDS)); [ "$left" -gt 0 ]; do
        before=$acknowledged
        if run_once "$mode" "$left"; then checks=$((checks + 1)); return; fi
        [ "$acknowledged" = "$before" ] || since=$SECONDS
        if ! lost || [ $((SECONDS - since)) -ge "${PATIENCE:-60}" ]; then
            cat "$scratch/error" >&2
            broken "-M $mode"
        fi
        retries=$((retries + 1))
        sleep 0.2
    done
}

ask() { sql -c "$1" >"$scratch/answer"; }

patiently pgbench -i -s 1 -q >/dev/null
eq "rows" "$(sql -c 'SELECT (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pgbench_tellers), (SELECT count(*) FROM pgbench_branches), (SELECT count(*) FROM pgbench_history)')" '100000|10|1|0'
fails "its primary key" 23505 'INSERT INTO pgbench_branches VALUES (1, 0)'
for mode in simple extended prepared; do run_mode "$mode"; done
patiently ask 'SELECT sum(abalance) - sum(delta), sum(delta) - (SELECT sum(tbalance) FROM pgbench_tellers), sum(delta) - (SELECT sum(bbalance) FROM pgbench_branches)
    FROM (SELECT sum(abalance) AS abalance, 0 AS delta FROM pgbench_accounts UNION ALL SELECT 0, sum(delta) FROM pgbench_history) AS s'
eq "accounts, tellers, branches and history agree" "$(cat "$scratch/answer")" '0|0|0'
patiently ask 'SELECT count(*) FROM pgbench_history'
count=$(cat "$scratch/answer")
if [ "$count" -lt "$acknowledged" ] || [ "$count" -gt $((acknowledged + unclear)) ]; then
    broken "$count transactions in the history, $acknowledged acknowledged, $unclear unclear"
fi
checks=$((checks + 1))
[ "$acknowledged" -gt 0 ] || broken "nothing was done"
for mode in simple prepared; do
    eq "select only, $mode" "$(pgbench -n -S -t 20 -M "$mode" 2>&1 | sed -n 's/^number of transactions actually processed: //p')" 20/20
done
pgbench -i -I d >/dev/null 2>&1
report "$acknowledged" "$retries"
