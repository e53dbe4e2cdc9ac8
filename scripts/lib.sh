# shellcheck shell=bash
# What ./cluster, ./test and the scripts share. Sourced, never run. Talk goes to stderr.

say() { printf '%s\n' "$*" >&2; }
die() { say "$0: $*"; exit 1; }

cache_root() { printf '%s/ultracloud\n' "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The packages that this host needs: `name # why`, or `name @codename # why` for one release only.
packages_wanted() {
    local codename name only _
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    while read -r name only _; do
        case "$name" in ''|'#'*) continue ;; esac
        case "$only" in "@$codename"|'#'*|'') printf '%s\n' "$name" ;; esac
    done <"$1"
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Installs what host-packages.txt names and the host lacks; asks apt for nothing when all is there.
install_missing() {
    local name missing=()
    command -v dpkg-query >/dev/null || die "this host is not Debian: install the packages of host-packages.txt by its own means"
    while read -r name; do
        package_installed "$name" || missing+=("$name")
    done < <(packages_wanted "$1")
    [ "${#missing[@]}" = 0 ] && return
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || die "missing packages: run as root: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    as_root apt-get update -q >/dev/null || say "apt-get update failed; trying with the package lists that are there"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" >&2 </dev/null \
        || die "could not install: ${missing[*]} (the lines above say why)"
}

# Bookworm's own QEMU is too old for the machines of a cluster: lets apt see its backports, and prefer them for QEMU.
offer_backports() {
    local codename mirror list=/etc/apt/sources.list.d/ultracloud-backports.list
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [ "$codename" = bookworm ] || return 0
    apt-cache policy | grep -q 'a=stable-backports\|n=bookworm-backports' && return 0
    mirror=$(apt-get update --print-uris 2>/dev/null | sed -n "s#^'\(.*\)/dists/bookworm/InRelease'.*#\1#p" | head -n 1)
    [ -n "$mirror" ] || die "this host's apt has no mirror of bookworm: add one with bookworm-backports, for QEMU 10"
    say "adding bookworm-backports to apt ($list), for QEMU 10"
    printf 'deb %s bookworm-backports main\n' "$mirror" | as_root tee "$list" >/dev/null
    printf 'Package: src:qemu src:seabios src:edk2 src:ipxe\nPin: release n=bookworm-backports\nPin-Priority: 900\n' \
        | as_root tee /etc/apt/preferences.d/ultracloud-qemu >/dev/null
    as_root apt-get update -q >/dev/null || die "apt-get update failed after $list was added"
}

# Puts cargo on PATH; the toolchain must be at least the workspace's rust-version.
find_cargo() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    command -v cargo >/dev/null || PATH="${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:$PATH"
    command -v cargo >/dev/null || die "cargo is missing: install Rust $wanted or newer with rustup (see rustup.rs), then run this again"
    found=$(cargo --version | cut -d' ' -f2)
    [ "$(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] \
        || die "cargo $found is too old: this needs Rust $wanted or newer (rustup update stable)"
}

# One target directory for every checkout of a user, so that a fresh clone builds warm.
choose_target_dir() {
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$(cache_root)/target}"
    mkdir -p "$CARGO_TARGET_DIR" 2>/dev/null || export CARGO_TARGET_DIR="$PWD/target"
}

# Runs a command whose output matters only when it fails or takes long.
quietly() {
    local what=$1 log began=$SECONDS pid shown=0
    shift
    if [ -t 2 ]; then "$@" >&2; return; fi
    log=$(mktemp "${TMPDIR:-/tmp}/ultracloud.XXXXXX")
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if [ $((SECONDS - began)) -ge $((shown + 30)) ]; then
            shown=$((SECONDS - began))
            say "$what: ${shown} s so far: $(tail -n 1 "$log")"
        fi
        sleep 0.2
    done
    if wait "$pid"; then rm -f "$log"; return; fi
    tail -n 60 "$log" >&2
    say "$what failed: the whole log is $log"
    return 1
}

# The harness makes namespaces and mounts: as root, with the caller's settings and no others.
run_lab() {
    local keep=CARGO_TARGET_DIR,NO_COLOR,TERM,ULTRACLOUD_ETCDCTL,ULTRACLOUD_WORK_ROOT,PHOTON_CLUSTER_WORK_ROOT,PHOTON_VM_DIR
    if [ "$(id -u)" = 0 ]; then exec "$CARGO_TARGET_DIR/debug/lab" "$@"; fi
    exec sudo -n --preserve-env="$keep" "$CARGO_TARGET_DIR/debug/lab" "$@"
}

# An etcdctl of the 3.5 line, for lanes and scripts: the host's own where it is new enough.
find_etcdctl() {
    [ -n "${ULTRACLOUD_ETCDCTL:-}" ] && return
    ULTRACLOUD_ETCDCTL=$(command -v etcdctl || true)
    case "$("${ULTRACLOUD_ETCDCTL:-false}" version 2>/dev/null)" in
        *' 3.'[5-9]*) ;;
        *) ULTRACLOUD_ETCDCTL=$(scripts/fetch-deb etcd-client trixie)/usr/bin/etcdctl || die "no etcdctl 3.5: the lines above say why" ;;
    esac
    export ULTRACLOUD_ETCDCTL
}
