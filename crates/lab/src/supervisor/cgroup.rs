//! The cluster's place in the host's cgroup (v2) tree: how its processes are found and ended as one.
//! Hosts without cgroup v2 do without; then the pid namespaces alone hold a node together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::poll_until;

/// Until killed processes have left.
const EMPTY_DEADLINE: Duration = Duration::from_secs(10);

/// The cluster's cgroup, made if the host has cgroup v2 and lets us.
pub(super) fn make(cluster_id: &str) -> Option<PathBuf> {
    let path = cgroup2_mount()?.join(format!("ultracloud-lab-{cluster_id}"));
    match fs::create_dir_all(&path) {
        Ok(()) => Some(path),
        Err(e) => {
            tracing::warn!("no cgroup for the cluster: cannot make {}: {e}", path.display());
            None
        }
    }
}

/// The first cgroup2 mount: the only one on most hosts, `unified` on hybrid ones.
fn cgroup2_mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' '));
    fields.find_map(|mut f| {
        let target = f.nth(1)?;
        (f.next()? == "cgroup2").then(|| PathBuf::from(target))
    })
}

/// Kills every process in a cgroup and below, and removes it.
pub(super) fn destroy(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    fs::write(path.join("cgroup.kill"), "1")?;
    let mut last = Ok(());
    poll_until(EMPTY_DEADLINE, || {
        last = remove_tree(path);
        last.is_ok()
    });
    last
}

/// Removes the directories; the files in them belong to the kernel.
fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}

/// The process of a cgroup that has this pid in its own namespace, as the host sees it.
pub(super) fn host_pid(cgroup: &Path, inner: i32) -> Option<i32> {
    let procs = fs::read_to_string(cgroup.join("cgroup.procs")).ok()?;
    procs.lines().filter_map(|pid| pid.parse().ok()).find(|pid| inner_pid(*pid) == Some(inner))
}

/// The last number of `NSpid:` (proc(5)) is the pid in the innermost namespace.
fn inner_pid(host: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{host}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}
