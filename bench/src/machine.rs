//! What is asked of the machine: memory, disk, its description, a place for scratch files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::peer::repository;

/// Resident memory of a process, bytes (`VmRSS` of proc_pid_status(5)).
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    kib_field(&text, "VmRSS:").map(|kib| kib * 1024).with_context(|| format!("{path} has no VmRSS"))
}

fn kib_field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// What a directory takes on disk, bytes: blocks, so that a hole costs nothing and preallocation does.
pub fn disk_bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { disk_bytes(&entry.path())? } else { meta.blocks() * 512 };
    }
    Ok(total)
}

/// One line: processor, cores, memory, kernel.
pub fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let field = |name: &str| {
        cpu.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split(": ").nth(1))
            .map(str::to_owned)
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = kib_field(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) / 1024 / 1024;
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = field("model name").unwrap_or_else(|| "unknown processor".into());
    format!("{cores} × {}, {memory} GiB, Linux {}", model.trim(), kernel.trim())
}

/// The commit of the checkout, with `+` when it has changes.
pub fn commit() -> String {
    let output = std::process::Command::new("git")
        .current_dir(repository())
        .args(["describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"])
        .output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// A directory on the disk of the checkout (memory-backed /tmp would make fsync free). It is kept
/// when something failed, for its logs.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// `work/bench/<pid>`, or below `ULTRACLOUD_WORK_ROOT`.
    pub fn new() -> anyhow::Result<Self> {
        let root =
            std::env::var_os("ULTRACLOUD_WORK_ROOT").map_or_else(|| repository().join("work"), PathBuf::from);
        let dir = root.join("bench").join(std::process::id().to_string());
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it.
    pub fn remove(self) -> anyhow::Result<()> {
        fs::remove_dir_all(&self.0).with_context(|| format!("cannot remove {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_proc() {
        assert_eq!(kib_field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        assert!(resident_bytes(std::process::id()).expect("own memory") > 0);
    }
}
