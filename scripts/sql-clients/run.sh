#!/usr/bin/env bash
# Foreign clients of PostgreSQL against the server that PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE and
# PGSSLROOTCERT name (PGHOST may list several nodes, with commas).
#
#   scripts/sql-clients/run.sh CLIENT...   psql psycopg tokio-postgres pgbench asyncpg pg8000 sqlalchemy node sqlx
#   scripts/sql-clients/run.sh all         every one of them, one after the other
#   scripts/sql-clients/run.sh --prepare   only installs what they need
#
# Each client checks values, errors and transactions in tables of its own prefix; then it moves money between accounts
# for DURATION seconds (default 5), with WORKERS connections (default 2), and goes on for up to PATIENCE seconds
# (default 60) while no node answers; then it holds what was acknowledged against what is there.
# Prints a line of JSON for each client; the exit code is 0 only if all of them held.
# What the clients need is installed into $ULTRACLOUD_CACHE, or ~/.cache/ultracloud/sql-clients.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh

here=$PWD/scripts/sql-clients
cache=${ULTRACLOUD_CACHE:-$(cache_root)/sql-clients}
all=(psql psycopg tokio-postgres pgbench asyncpg pg8000 sqlalchemy node sqlx)
export DURATION=${DURATION:-5} WORKERS=${WORKERS:-2} PATIENCE=${PATIENCE:-60}
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
mkdir -p "$cache"

# Is what a client needs there, in the versions that its file pins? Otherwise the rest of the arguments makes it so.
once() {
    local stamp=$cache/$1.stamp pins=$2
    shift 2
    cmp -s "$stamp" "$pins" && return
    quietly "installing for ${pins##*/}" "$@"
    cp "$pins" "$stamp"
}

make_venv() {
    python3 -m venv --clear "$cache/venv" && "$cache/venv/bin/pip" install -q --disable-pip-version-check -r "$here/python/requirements.txt"
}

make_node() {
    rm -rf "$cache/node"
    mkdir -p "$cache/node"
    cp "$here"/node/package.json "$cache/node/"
    npm install --silent --no-audit --no-fund --no-package-lock --prefix "$cache/node"
}

need_python() {
    command -v python3 >/dev/null || die "python3 is missing: install python3 and python3-venv"
    once python "$here/python/requirements.txt" make_venv
}

need_node() {
    command -v npm >/dev/null || die "npm is missing: install nodejs and npm"
    once node "$here/node/package.json" make_node
    cp "$here"/node/*.mjs "$cache/node/"
}

need_rust() {
    find_cargo
    quietly "building the Rust clients" env CARGO_TARGET_DIR="$cache/target" \
        cargo build --locked --manifest-path "$here/rust/Cargo.toml"
}

# A program of PostgreSQL 15: the host's own, or Debian's package unpacked into the cache.
need_postgresql() {
    local program=$1 package=$2 path=/usr/lib/postgresql/15/bin/$1 root
    if [ ! -x "$path" ]; then
        root=$(scripts/fetch-deb "$package" bookworm)
        path=$root/usr/lib/postgresql/15/bin/$program
        if ldd "$path" | grep -q 'libpq.*not found'; then
            root=$(scripts/fetch-deb libpq5 bookworm)
            LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-gnu)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
            export LD_LIBRARY_PATH
        fi
    fi
    "$path" --version | grep -q ' 15\.' || die "no $program of PostgreSQL 15"
    PATH=${path%/*}:$PATH
}

prepare() {
    case "$1" in
        psql) need_postgresql psql postgresql-client-15 ;;
        pgbench) need_postgresql psql postgresql-client-15; need_postgresql pgbench postgresql-15 ;;
        psycopg|asyncpg|pg8000|sqlalchemy) need_python ;;
        node) need_node ;;
        tokio-postgres|sqlx) need_rust ;;
        *) die "no client '$1': ${all[*]}" ;;
    esac
}

# A server that does not answer must not keep the caller for ever.
run_client() {
    local limit=$((DURATION + 4 * PATIENCE + 240))
    case "$1" in
        psql|pgbench) timeout "$limit" "$here/$1.sh" ;;
        psycopg|asyncpg|pg8000|sqlalchemy) timeout "$limit" "$cache/venv/bin/python" -B "$here/python/client_$1.py" ;;
        node) timeout "$limit" node "$cache/node/client.mjs" ;;
        tokio-postgres|sqlx) timeout "$limit" "$cache/target/debug/$1" ;;
    esac
}

[ $# -gt 0 ] || { sed -n '2,14p' "$0" >&2; exit 64; }
if [ "$1" = --prepare ]; then
    for client in "${all[@]}"; do prepare "$client"; done
    exit
fi
[ -n "${PGHOST:-}" ] || die "no server is named: set PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE"
[ "$1" != all ] || set -- "${all[@]}"
bad=()
for client in "$@"; do
    prepare "$client"
    run_client "$client" || { say "$client failed ($?)"; bad+=("$client"); }
done
[ "${#bad[@]}" = 0 ] || die "failed: ${bad[*]}"
