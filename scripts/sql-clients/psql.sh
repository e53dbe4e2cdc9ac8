#!/usr/bin/env bash
# psql 15: what its backslash commands ask of the catalogs, \copy, \gdesc, variables, errors; then transfers.
set -euo pipefail
client=psql
# shellcheck source=scripts/sql-clients/checks.sh
. "$(dirname "$0")/checks.sh"
p=cl_psql

make_things() {
    sql >/dev/null 2>&1 <<SQL
DROP VIEW IF EXISTS ${p}_view;
DROP TABLE IF EXISTS ${p}_child, ${p}_t, ${p}_copy;
CREATE TABLE ${p}_t (id serial PRIMARY KEY, name text NOT NULL, price numeric(8,2) DEFAULT 1.5 CHECK (price >= 0), born date);
CREATE INDEX ${p}_t_name ON ${p}_t (lower(name));
CREATE TABLE ${p}_child (id integer REFERENCES ${p}_t (id) ON DELETE CASCADE, note varchar(20) UNIQUE);
CREATE VIEW ${p}_view AS SELECT id, name FROM ${p}_t WHERE price > 1;
CREATE TABLE ${p}_copy (a integer, b text, c numeric, d timestamptz);
INSERT INTO ${p}_t (name, price, born) VALUES ('one', 1, '2024-02-29'), ('two', 2.5, NULL), ('three', 3, NULL);
SQL
}

# The command's output must have a line like each of the patterns.
shows() {
    local said pattern command=$1
    shift
    said=$(psql -X -v ON_ERROR_STOP=1 -c "$command" 2>&1) || broken "$command: $said"
    for pattern in "$@"; do
        grep -Eq -- "$pattern" <<<"$said" || broken "$command shows no '$pattern' in: $said"
        checks=$((checks + 1))
    done
}

check_describe() {
    shows "\\dt ${p}_*" "public +\| ${p}_child +\| table" "public +\| ${p}_t +\| table" '\(3 rows\)'
    shows "\\dv ${p}_*" "${p}_view +\| view"
    shows "\\di ${p}_*" "${p}_t_name +\| index .*${p}_t" "${p}_t_pkey"
    shows "\\ds ${p}_*" "${p}_t_id_seq +\| sequence"
    shows "\\d ${p}_*" "Table \"public.${p}_t\"" "View \"public.${p}_view\""
    shows "\\d ${p}_t" "^ id +\| integer +\| +\| not null \| nextval\('${p}_t_id_seq'::regclass\)" \
        '^ price +\| numeric\(8,2\) +\| +\| +\| 1.5' '^ born +\| date' "\"${p}_t_pkey\" PRIMARY KEY, btree \(id\)" \
        "\"${p}_t_name\" btree \(lower\(name\)\)" "\"${p}_t_price_check\" CHECK \(price >= 0::numeric\)" \
        "TABLE \"${p}_child\" CONSTRAINT \"${p}_child_id_fkey\" FOREIGN KEY \(id\) REFERENCES ${p}_t\(id\) ON DELETE CASCADE"
    shows "\\d ${p}_child" "\"${p}_child_note_key\" UNIQUE CONSTRAINT, btree \(note\)" '^ note +\| character varying\(20\)'
    shows "\\d+ ${p}_view" '^ name +\| text' 'View definition:'
    shows '\dn' '^ public +\|'
    shows '\l' "^ ${PGDATABASE:-postgres} +\|"
    shows '\du' 'Role name'
    shows '\df lower' 'pg_catalog \| lower +\| text +\| text'
    shows '\dT integer' 'pg_catalog \| integer'
    shows "\\dp ${p}_t" "public \| ${p}_t +\| table"
    shows '\dx' 'List of installed extensions'
    shows '\conninfo' 'You are connected to database'
    shows '\encoding' '^UTF8'
    eq "\\dt of nothing" "$(psql -X -c '\dt cl_nothing*' 2>&1)" 'Did not find any relation named "cl_nothing*".'
}

check_values() {
    eq "types" "$(sql -c "SELECT 1::smallint, 2147483647, -9223372036854775808, 1.50::numeric(5,2), 0.1::real, 1e300::float8, 'x'::varchar(3), true, NULL")" \
        '1|2147483647|-9223372036854775808|1.50|0.1|1e+300|x|t|'
    eq "more types" "$(sql -c "SET TIME ZONE 'UTC'" -c "SELECT '2024-02-29'::date, '12:34:56.5'::time, '2024-01-02 03:04:05'::timestamp, '2024-01-02 03:04:05+02'::timestamptz, '1 day 02:00'::interval")" \
        '2024-02-29|12:34:56.5|2024-01-02 03:04:05|2024-01-02 01:04:05+00|1 day 02:00:00'
    eq "still more types" "$(sql -c "SELECT '\\xdeadbeef'::bytea, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, '{\"a\": [1]}'::json, '{\"b\":1,\"a\":2}'::jsonb, ARRAY[1,NULL,3], '{a,\"b,c\"}'::text[]")" \
        '\xdeadbeef|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|{"a": [1]}|{"a": 2, "b": 1}|{1,NULL,3}|{a,"b,c"}'
    eq "gdesc" "$(sql <<<"SELECT id, name, price, born, count(*) OVER () AS n, '{}'::jsonb AS j FROM ${p}_t \\gdesc")" \
        $'id|integer\nname|text\nprice|numeric(8,2)\nborn|date\nn|bigint\nj|jsonb'
    eq "gset, variables and quotes" "$(sql -v name="o'ne" <<SQL
SELECT id AS the_id, name, id = 2 AS two FROM ${p}_t WHERE id = 2 \\gset got_
SELECT :got_the_id + 1, :'name', :'got_name';
\\if :got_two
\\echo yes :ROW_COUNT
\\endif
SELECT 'SELECT ' || g FROM generate_series(1, 2) AS g \\gexec
SQL
)" $'3|o\'ne|two\nyes 1\n1\n2'
    eq "expanded" "$(psql -X -q -x -t -A -c "SELECT id, name FROM ${p}_t WHERE id = 1")" $'id|1\nname|one'
    eq "crosstab" "$(psql -X -q -A -P footer=off <<<"SELECT 'r' AS r, name, id FROM ${p}_t WHERE id < 3 ORDER BY id \\crosstabview")" $'r|one|two\nr|1|2'
    eq "command tag" "$(psql -X -c "UPDATE ${p}_t SET price = price WHERE id < 3")" 'UPDATE 2'
    eq "RETURNING" "$(sql -c "INSERT INTO ${p}_t (name) VALUES ('four') RETURNING id, price")" '4|1.50'
    eq "ON CONFLICT" "$(sql -c "INSERT INTO ${p}_t (id, name) VALUES (4, 'x') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name RETURNING name")" 'x'
    eq "rows by the piece" "$(sql -v FETCH_COUNT=10 -c 'SELECT sum(g) FROM (SELECT * FROM generate_series(1, 95) AS g) AS s')" 4560
    eq "many rows by the piece" "$(sql -v FETCH_COUNT=10 <<<'SELECT * FROM generate_series(1, 95) AS g' | wc -l)" 95
}

check_errors() {
    fails "a duplicate key" 23505 "INSERT INTO ${p}_t (id, name) VALUES (1, 'again')"
    fails "a null" 23502 "INSERT INTO ${p}_t (name) VALUES (NULL)"
    fails "a check" 23514 "INSERT INTO ${p}_t (name, price) VALUES ('x', -1)"
    fails "a foreign key" 23503 "INSERT INTO ${p}_child VALUES (99, 'x')"
    fails "no table" 42P01 "SELECT * FROM ${p}_missing"
    fails "text for a number" 22P02 "SELECT 'abc'::integer"
    fails "a syntax error" 42601 "SELEC 1"
    eq "the whole error" "$(sql -v VERBOSITY=verbose -c "INSERT INTO ${p}_t (id, name) VALUES (1, 'again')" 2>&1 | grep -v LOCATION)" \
        "ERROR:  23505: duplicate key value violates unique constraint \"${p}_t_pkey\"
DETAIL:  Key (id)=(1) already exists.
SCHEMA NAME:  public
TABLE NAME:  ${p}_t
CONSTRAINT NAME:  ${p}_t_pkey"
    eq "where the error is" "$(sql -c 'SELECT nothing' 2>&1 | head -n 3)" $'ERROR:  column "nothing" does not exist\nLINE 1: SELECT nothing\n               ^'
    eq "transactions" "$(psql -X -q -A -t 2>&1 <<SQL
\\set VERBOSITY sqlstate
BEGIN;
INSERT INTO ${p}_t (id, name) VALUES (50, 'tx');
SAVEPOINT s;
INSERT INTO ${p}_t (id, name) VALUES (1, 'dup');
\\echo :SQLSTATE :ERROR
SELECT 1;
ROLLBACK TO s;
INSERT INTO ${p}_t (id, name) VALUES (51, 'tx');
COMMIT;
SELECT count(*) FROM ${p}_t WHERE id >= 50;
\\set AUTOCOMMIT off
DELETE FROM ${p}_t;
ROLLBACK;
SELECT count(*) FROM ${p}_t;
SQL
)" $'ERROR:  23505\n23505 true\nERROR:  25P02\n2\n6'
    eq "one transaction" "$(sql -1 -c "DELETE FROM ${p}_t WHERE id = 50" -c 'SELECT 1/0' 2>/dev/null || true; sql -c "SELECT count(*) FROM ${p}_t WHERE id = 50")" 1
}

check_copy() {
    printf '1\tone\t1.5\t2024-01-02 03:04:05+00\n2\t\\N\t\\N\t\\N\n3\ttab\\there\t3\t\\N\n' >"$scratch/in"
    sql -c "\\copy ${p}_copy FROM '$scratch/in'"
    sql -c "SET TIME ZONE 'UTC'" -c "\\copy (SELECT * FROM ${p}_copy ORDER BY a) TO '$scratch/out'"
    eq "\\copy both ways" "$(cat "$scratch/out")" "$(cat "$scratch/in")"
    sql -c "\\copy (SELECT a, b FROM ${p}_copy ORDER BY a) TO '$scratch/csv' WITH (FORMAT csv, HEADER, NULL '-')"
    eq "\\copy as CSV" "$(cat "$scratch/csv")" $'a,b\n1,one\n2,-\n3,tab\there'
    sql -c "DELETE FROM ${p}_copy" -c "\\copy ${p}_copy (a, b) FROM '$scratch/csv' WITH (FORMAT csv, HEADER, NULL '-')"
    eq "\\copy from CSV" "$(sql -c "SELECT sum(a), count(b) FROM ${p}_copy")" '6|2'
    printf '7\tseven\n\\.\n' >"$scratch/inline"
    eq "COPY FROM STDIN" "$( (echo "COPY ${p}_copy (a, b) FROM STDIN;"; cat "$scratch/inline"; echo "COPY ${p}_copy (b) TO STDOUT;") | sql | tail -n 1)" seven
    eq "a bad line" "$(printf 'x\n' | sql -v VERBOSITY=sqlstate -c "COPY ${p}_copy (a) FROM STDIN" 2>&1 || true)" 'ERROR:  22P02'
}

# One attempt at a transfer: ID SOURCE TARGET AMOUNT.
transfer() {
    sql -v VERBOSITY=sqlstate -v id="$1" -v source="$2" -v target="$3" -v amount="$4" 2>"$scratch/error.$worker" >/dev/null <<SQL
BEGIN;
INSERT INTO ${p}_transfer VALUES (:'id', :source, :target, :amount) ON CONFLICT (id) DO NOTHING;
SELECT :ROW_COUNT = 1 AS fresh \\gset
\\if :fresh
UPDATE ${p}_account SET balance = balance - :amount WHERE id = :source;
UPDATE ${p}_account SET balance = balance + :amount WHERE id = :target;
\\endif
COMMIT;
SQL
}

# psql says 2 for a lost connection, 3 for an error of the server.
may_retry() { [ "$1" = 2 ] || grep -Eq '(ERROR|FATAL): +(40001|40P01|08...|57P0[123]|25006)' "$scratch/error.$worker"; }

work() {
    local worker=$1 end=$((SECONDS + ${DURATION:-5})) id source target rc since
    while [ "$SECONDS" -lt "$end" ]; do
        id=$(cat /proc/sys/kernel/random/uuid) source=$((RANDOM % 20))
        target=$(((source + 1 + RANDOM % 19) % 20)) since=$SECONDS
        while rc=0; transfer "$id" "$source" "$target" $((RANDOM % 50 + 1)) || rc=$?; [ "$rc" != 0 ]; do
            if ! may_retry "$rc" || [ $((SECONDS - since)) -ge "${PATIENCE:-60}" ]; then
                cat "$scratch/error.$worker" >&2
                return 1
            fi
            echo >>"$scratch/retries"
            sleep 0.0$((RANDOM % 10))
        done
        echo "$id" >>"$scratch/acknowledged.$worker"
    done
}

make_bank() {
    sql >/dev/null <<SQL
DROP TABLE IF EXISTS ${p}_account, ${p}_transfer;
CREATE TABLE ${p}_account (id integer PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE ${p}_transfer (id uuid PRIMARY KEY, source integer NOT NULL, target integer NOT NULL, amount bigint NOT NULL);
INSERT INTO ${p}_account SELECT g, 1000 FROM generate_series(0, 19) AS g;
SQL
}

ask() { sql -c "$1" >"$scratch/answer"; }

verify() {
    patiently ask "SELECT id FROM ${p}_transfer"
    eq "no transfer is there twice" "$(sort "$scratch/answer" | uniq -d)" ''
    cat "$scratch"/acknowledged.* 2>/dev/null | sort >"$scratch/acknowledged" || true
    eq "acknowledged transfers that are missing" "$(comm -23 "$scratch/acknowledged" <(sort "$scratch/answer"))" ''
    patiently ask "SELECT sum(balance) FROM ${p}_account"
    eq "the sum of the balances" "$(cat "$scratch/answer")" 20000
    patiently ask "SELECT count(*) FROM ${p}_account AS a WHERE balance <> 1000
        - coalesce((SELECT sum(amount) FROM ${p}_transfer WHERE source = a.id), 0)
        + coalesce((SELECT sum(amount) FROM ${p}_transfer WHERE target = a.id), 0)"
    eq "accounts with a wrong balance" "$(cat "$scratch/answer")" 0
}

make_things
check_describe
check_values
check_errors
check_copy
sql -c "DROP VIEW ${p}_view" -c "DROP TABLE ${p}_child, ${p}_t, ${p}_copy"
patiently make_bank
: >"$scratch/retries"
workers=()
for at in $(seq "${WORKERS:-2}"); do work "$at" & workers+=($!); done
for pid in "${workers[@]}"; do wait "$pid" || broken "a worker gave up"; done
verify
sql -c "DROP TABLE ${p}_account, ${p}_transfer"
report "$(wc -l <"$scratch/acknowledged")" "$(wc -l <"$scratch/retries")"
