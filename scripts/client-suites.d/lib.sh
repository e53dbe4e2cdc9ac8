# shellcheck shell=bash
# How each suite is fetched, made to fit, run and counted. Sourced by scripts/client-suites and client-suites.d/run.

suite_root=$(cache_root)/client-suites

# The package, and what its tests want beside it. Old ones want old ones.
declare -A requirements=(
    [aetcd]='aetcd==1.0.0 pytest==9.0.3 pytest-asyncio==1.3.0 pytest-mock==3.15.1 pytest-timeout==2.4.0'
    [etcd3]='etcd3==0.12.0 protobuf==3.20.3 grpcio tenacity==6.1.0 pytest==8.4.2 pytest-timeout==2.4.0 hypothesis mock six'
    [etcd-sdk]='etcd-sdk-python==0.0.7 protobuf grpcio tenacity pytest==8.4.2 pytest-timeout==2.4.0 hypothesis mock'
)

# Brings a suite into the cache: a virtual environment with the client, and its tests.
prepare() {
    local suite=$1 root=$suite_root/$1 draft
    [ ! -f "$root/ready" ] || return 0
    draft=$suite_root/.draft.$suite.$$
    rm -rf "$draft"
    mkdir -p "$draft"
    if [ "$suite" = rust ]; then prepare_rust "$draft"; else prepare_python "$suite" "$root" "$draft"; fi
    rm -rf "$root"
    mv "$draft" "$root"
    touch "$root/ready"
}

prepare_python() {
    local suite=$1 root=$2 draft=$3 wanted
    command -v python3 >/dev/null || die "python3 is missing: install python3 and python3-venv"
    read -ra wanted <<<"${requirements[$suite]}"
    # The environment knows its own place, so it is made where it stays.
    rm -rf "$root" "$root.venv"
    python3 -m venv "$root.venv" || die "python3 cannot make a virtual environment: install python3-venv"
    # What old packages are built with; wheel 0.46 has given its part of it to later setuptools.
    quietly "$suite: pip" "$root.venv/bin/pip" install -q 'setuptools<70' 'wheel<0.46'
    quietly "$suite: pip" "$root.venv/bin/pip" install -q "${wanted[0]}" --no-build-isolation
    quietly "$suite: pip" "$root.venv/bin/pip" install -q "${wanted[@]}"
    quietly "$suite: its source" "$root.venv/bin/pip" download -q --no-deps --no-binary :all: -d "$draft" "${wanted[0]}"
    tar -xzf "$draft"/*.tar.gz -C "$draft" --strip-components=1 --wildcards '*/tests'
    rm "$draft"/*.tar.gz
}

# The crate's tests, in a package of their own beside the version that the workspace uses.
prepare_rust() {
    local manifest version
    manifest=$(cargo metadata --locked --format-version 1 | grep -o '"manifest_path":"[^"]*/etcd-client-[0-9.]*/Cargo.toml"' | head -n 1 | cut -d'"' -f4)
    version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$manifest")
    cp -r "${manifest%/*}/tests" "$1/tests"
    cp Cargo.lock "$1/Cargo.lock"
    cat >"$1/Cargo.toml" <<TOML
[package]
name = "etcd-client-tests"
version = "0.0.0"
edition = "2021"
[workspace]
[dependencies]
etcd-client = { version = "=$version", features = ["tls", "tls-ring"] }
serial_test = "3"
tokio = { version = "1", features = ["full", "test-util"] }
[lib]
path = "tests/testing.rs"
test = false
[profile.dev]
debug = false
TOML
}

# A copy of the tests with this cluster's address in it, where they have one built in: HOST:PORT of the first argument.
adapt() {
    local suite=$1 port=$2 dir=$3
    cp -r "$suite_root/$suite/." "$dir"
    # What the members of the suites' own clusters are called.
    find "$dir/tests" -name '*.py' -exec sed -i "s/'pifpaf'/'node'/" {} +
    case "$suite" in
        aetcd) sed -i "s/aetcd\.Client($/aetcd.Client(port=$port,/" "$dir/tests/integration/test_auth.py" ;;
        etcd3|etcd-sdk)
            # The program's path; the address; and fixtures that hypothesis has learnt to dislike since.
            sed -i -E "s#/tmp/etcd-download-test/etcdctl#etcdctl#; s/(etcd3|pyetcd)\.client\(\)/\1.client(port=$port)/; s/(etcd3|pyetcd)\.client\((timeout|$)/\1.client(port=$port, \2/
                s/^settings\.register_profile\(\"default\", deadline=None\)/import hypothesis; settings.register_profile('default', deadline=None, max_examples=20, suppress_health_check=list(hypothesis.HealthCheck))/" "$dir"/tests/*.py
            ;;
        rust) sed -i "s/localhost:2379/127.0.0.1:$port/" "$dir/tests/testing.rs" ;;
    esac
}

# Tests of a suite that are left out, with the reasons beside them in the list.
exempt() {
    awk -v suite="$1" -v where="$2" '$1 == suite || $1 == suite "@" where { print $2 }' scripts/client-suites.d/exempt
}

run_pytest() {
    local suite=$1 system=$2 left_out=() test
    shift 2
    while read -r test; do left_out+=(--deselect "$test"); done < <(exempt "$suite" "$system")
    "$suite_root/$suite.venv/bin/python" -m pytest -p no:cacheprovider -v -rfE --timeout 90 --tb=short -W ignore "${left_out[@]}" "$@" tests
}

run_aetcd() { TEST_ETCD_HTTP_URL=$1 run_pytest aetcd "$2" -o asyncio_mode=auto --with-cluster; }
run_etcd3() { PYTHON_ETCD_HTTP_URL=$1 TEST_ETCD_VERSION=v3.5.16 run_pytest etcd3 "$2"; }
run_etcd_sdk() { PYTHON_ETCD_HTTP_URL=$1 TEST_ETCD_VERSION=v3.5.16 run_pytest etcd-sdk "$2" -o addopts=; }
run_rust() {
    local left_out=() test
    while read -r test; do left_out+=(--skip "$test"); done < <(exempt rust "$2")
    # Its tests of users want these, and switch users on and off by themselves.
    etcdctl --endpoints="$1" user add root:rootpwd
    etcdctl --endpoints="$1" user grant-role root root
    cargo test --tests --no-fail-fast -- --exact --test-threads=1 "${left_out[@]}"
}

# One line a test, and the sums.
count() {
    local suite=$1 log=$2 line ok=0 bad=0
    while IFS= read -r line; do
        echo "$line"
        case "$line" in ok*) ok=$((ok + 1)) ;; FAILED*) bad=$((bad + 1)) ;; esac
    done < <(sed -nE "s/^(tests\/[^ ]+) PASSED.*/ok      $suite: \1/p; s/^(tests\/[^ ]+) (FAILED|ERROR).*/FAILED  $suite: \1/p
        s/^test ([^ ]+) \.\.\. ok$/ok      $suite: \1/p; s/^test ([^ ]+) \.\.\. FAILED$/FAILED  $suite: \1/p" "$log")
    if [ "$ok" = 0 ] || { [ "$bad" = 0 ] && ! grep -qE '^=+ .*passed|^test result: ok' "$log"; }; then
        bad=$((bad + 1))
        echo "FAILED  $suite: it broke off: $(tail -n 1 "$log")"
    fi
    [ "$bad" = 0 ] || echo "        the log is $log"
    passed=$((passed + ok)) failed=$((failed + bad))
}
