//! What is asked of the machine: memory, disk, its description, a place for scratch files.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::peer::repository;

/// Resident memory of a process, bytes (`VmRSS` of proc_pid_status(5)).
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    kib_field(&text, "VmRSS:").map(|kib| kib * 1024).with_context(|| format!("{path} has no VmRSS"))
}

/// Memory of a process and its children, bytes: pages that they share count once (`Pss` of proc_pid_smaps(5)).
pub fn resident_bytes_of_family(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let own = kib_field(&text, "Pss:").with_context(|| format!("{path} has no Pss"))? * 1024;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    // A child that has ended meanwhile takes nothing.
    Ok(own + children.filter_map(|child| resident_bytes_of_family(child).ok()).sum::<u64>())
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

/// Which cores the members run on and which the load, the same for both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinning {
    /// The members' cores, as taskset(1) names them.
    pub members: String,
    /// The load's.
    pub load: String,
}

impl Pinning {
    /// Half of the cores each; none where that would leave somebody a single one.
    pub fn halves(cores: usize) -> Option<Self> {
        let half = cores / 2;
        (half >= 2)
            .then(|| Self { members: format!("0-{}", half - 1), load: format!("{half}-{}", cores - 1) })
    }

    /// Moves this process, with all its threads, to the load's cores.
    pub fn hold_the_load(&self) -> anyhow::Result<()> {
        let moved = std::process::Command::new("taskset")
            .args(["--all-tasks", "--cpu-list", "--pid", &self.load])
            .arg(std::process::id().to_string())
            .stdout(std::process::Stdio::null())
            .status()
            .context("cannot run taskset")?;
        ensure!(moved.success(), "taskset could not move the load to cores {}", self.load);
        Ok(())
    }
}

/// One line: processor, cores, memory, kernel, and who runs where.
pub fn description(pinning: Option<&Pinning>) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let field = |name: &str| {
        cpu.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split(": ").nth(1))
            .map(str::to_owned)
    };
    // All of the machine's, not those that this process is held to.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = kib_field(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0) / 1024 / 1024;
    let kernel = read("/proc/sys/kernel/osrelease");
    let model = field("model name").unwrap_or_else(|| "unknown processor".into());
    let places = pinning.map_or_else(
        || "members and load share all cores".to_owned(),
        |p| format!("members on cores {}, load on {}", p.members, p.load),
    );
    format!("{cores} × {}, {memory} GiB, Linux {}; {places}", model.trim(), kernel.trim())
}

/// The command that repeats this.
pub fn command_line() -> String {
    let profile = if cfg!(debug_assertions) { "" } else { "--release " };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run {profile}-p bench -- {}", arguments.join(" "))
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
        Self::below(&root)
    }

    /// `bench/<pid>` below a directory.
    pub fn below(root: &Path) -> anyhow::Result<Self> {
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
    fn cores_are_halved_only_where_both_halves_are_worth_having() {
        assert_eq!(Pinning::halves(2), None);
        let halves = Pinning::halves(8).map(|p| (p.members, p.load));
        assert_eq!(halves, Some(("0-3".into(), "4-7".into())));
    }

    #[test]
    fn memory_is_read_from_proc() {
        assert_eq!(kib_field("Name:\tx\nVmRSS:\t  1234 kB\n", "VmRSS:"), Some(1234));
        assert!(resident_bytes(std::process::id()).expect("own memory") > 0);
    }
}
