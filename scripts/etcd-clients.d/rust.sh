# shellcheck shell=bash
# The Rust crate etcd-client: what a program does that a shell cannot (bench/src/bin/etcd-client-conformance.rs).

check_rust() {
    local line
    while IFS= read -r line; do
        case "$line" in
            'ok '*) passed=$((passed + 1)) ;;
            'FAILED '*) failed=$((failed + 1)) ;;
        esac
        echo "$line"
    done < <("$bin/etcd-client-conformance" --prefix "$prefix/rust" || [ $? = 1 ] || echo "FAILED  etcd-client-conformance broke off")
}
