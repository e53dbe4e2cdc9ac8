//! Cleans up after a supervisor that had no chance to.
//!
//! Only what the cluster's own state names is touched: processes by pid and start time, the cgroup and
//! the socket directory by the cluster's id, mounts and loop devices by paths below its state. Nothing
//! is ever looked for by a name pattern.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::cgroup;
use crate::paths::Paths;
use crate::state::ClusterState;

/// Cleans up and says what there was. The caller holds the cluster's lock.
pub fn clean(paths: &Paths) -> Result<Vec<String>> {
    let mut found = Vec::new();
    // Damaged state does not stop a cleanup: the rest is found by the cluster's id and paths.
    if let Ok(Some(mut state)) = ClusterState::load(paths) {
        processes(&state, &mut found);
        cgroups(&state, &mut found)?;
        if state.supervisor.take().is_some() || !state.nodes.is_empty() {
            state.nodes.clear();
            state.save(paths)?;
        }
    }
    mounts(paths, &mut found)?;
    loop_devices(paths, &mut found)?;
    if paths.runtime.exists() {
        fs::remove_dir_all(&paths.runtime)
            .with_context(|| format!("cannot remove {}", paths.runtime.display()))?;
        found.push(format!("sockets in {}", paths.runtime.display()));
    }
    Ok(found)
}

fn processes(state: &ClusterState, found: &mut Vec<String>) {
    for (name, process) in &state.nodes {
        if process.kill() {
            found.push(format!("the first process of {name} (pid {})", process.pid));
        }
    }
}

fn cgroups(state: &ClusterState, found: &mut Vec<String>) -> Result<()> {
    if let Some(path) = state.cgroup.as_deref().filter(|p| p.exists()) {
        cgroup::destroy(path).with_context(|| format!("cannot remove the cgroup {}", path.display()))?;
        found.push(format!("cgroup {}", path.display()));
    }
    Ok(())
}

/// Mounts live in the nodes' own namespaces and end with them; one in the host's would be a bug, and
/// would make `clean` delete through it.
fn mounts(paths: &Paths, found: &mut Vec<String>) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let targets: Vec<&str> = mounts.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    for target in targets.into_iter().rev().filter(|t| Path::new(t).starts_with(&paths.state)) {
        nix::mount::umount2(target, nix::mount::MntFlags::MNT_DETACH)
            .with_context(|| format!("cannot unmount {target}"))?;
        found.push(format!("mount {target}"));
    }
    Ok(())
}

/// Loop devices detach themselves with their mount; this is for those whose mount failed half-way.
fn loop_devices(paths: &Paths, found: &mut Vec<String>) -> Result<()> {
    let Ok(devices) = fs::read_dir("/sys/block") else { return Ok(()) };
    for device in devices.flatten() {
        let backing = fs::read_to_string(device.path().join("loop/backing_file")).unwrap_or_default();
        if Path::new(backing.trim()).starts_with(&paths.state) {
            let node = Path::new("/dev").join(device.file_name());
            let status =
                Command::new("losetup").arg("-d").arg(&node).status().context("cannot run losetup")?;
            if status.success() {
                found.push(format!("loop device {}", node.display()));
            }
        }
    }
    Ok(())
}
