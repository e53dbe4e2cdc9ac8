//! What a lane leaves behind: `work/<lane>/<timestamp>/` with `result.json`, logs, captures
//! and artifacts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::state::replace_file;
use crate::supervisor::protocol::{ClusterStatus, FaultRecord};

/// Of `result.json`.
const SCHEMA: u32 = 1;

/// A copied log is cut to its last so many bytes.
const MAX_LOG: u64 = 32 << 20;

/// `result.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneResult {
    /// [`SCHEMA`].
    pub schema_version: u32,
    /// The lane.
    pub lane: String,
    /// Whether every check held.
    pub success: bool,
    /// Why not, in a line.
    pub error: Option<String>,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339; missing when the lane was killed.
    pub finished: Option<String>,
    /// In order.
    pub checks: Vec<CheckRecord>,
    /// `netns` or `vm`.
    pub node_body: String,
    /// Of machines.
    pub accelerator: Option<String>,
    /// The recipe's hash of what machines booted.
    #[serde(default)]
    pub image: Option<String>,
    /// The hash of the disk with their binaries.
    #[serde(default)]
    pub payload: Option<String>,
    /// What every deadline was multiplied with.
    pub time_scale: f64,
    /// Of the checkout.
    pub commit: Option<String>,
    /// Whether the checkout had changes that are in no commit.
    pub dirty: Option<bool>,
    /// Of the server binary.
    pub binary_sha256: Option<String>,
    /// Of all faults and loads.
    pub seed: u64,
    /// The check that it began at; such a run proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where it ran.
    pub host: Host,
    /// What was done to the cluster on purpose.
    pub faults: Vec<FaultRecord>,
}

/// One named check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub ok: bool,
    /// How long it took.
    pub seconds: f64,
    /// What was seen; for one that failed also what was expected and where the log is.
    pub detail: String,
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release.
    pub kernel: String,
    /// Processors.
    pub cpus: usize,
    /// Memory in MiB.
    pub mem_mib: u64,
}

impl Host {
    /// This machine.
    pub fn this() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = meminfo
            .lines()
            .find_map(|l| l.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim().parse().ok());
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { kernel, cpus, mem_mib: kib.unwrap_or(0u64) >> 10 }
    }
}

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct Evidence {
    dir: PathBuf,
}

impl Evidence {
    /// Makes the run's directory and points `latest` at it. Never shares one with another run.
    pub fn create(work_root: &Path, lane: &str) -> Result<Self> {
        let parent = work_root.join(lane);
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let name = free_name(&parent)?;
        let dir = parent.join(&name);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        fs::create_dir(dir.join("artifacts"))?;
        let draft = parent.join(".latest");
        let _ = fs::remove_file(&draft);
        symlink(&name, &draft)?;
        fs::rename(&draft, parent.join("latest")).context("cannot point `latest` at the run")?;
        Ok(Self { dir })
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes `result.json`, old or new after a crash.
    pub fn write_result(&self, result: &LaneResult) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(result)?;
        text.push(b'\n');
        replace_file(&self.dir.join("result.json"), &text)
    }

    /// Keeps a value as `artifacts/<name>.json`.
    pub fn artifact(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        self.artifact_file(&format!("{name}.json"), &text)
    }

    /// Keeps bytes as `artifacts/<name>`.
    pub fn artifact_file(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.dir.join("artifacts").join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Copies every node's logs and the supervisor's.
    pub fn collect_logs(&self, status: &ClusterStatus, supervisor_log: &Path) -> Result<()> {
        copy_end(supervisor_log, &self.dir.join("supervisor.log"))?;
        for (name, node) in &status.nodes {
            let dir = self.dir.join("nodes").join(name);
            fs::create_dir_all(&dir)?;
            copy_end(&node.console, &dir.join("console.log"))?;
            for (service, report) in &node.services {
                copy_end(&report.host_log, &dir.join(format!("{service}.log")))?;
            }
        }
        Ok(())
    }
}

/// A name that no run has: two runs within a second get different ones.
fn free_name(parent: &Path) -> Result<String> {
    let mut now = jiff::ZonedDateTime::now();
    loop {
        let name = now.strftime(TIMESTAMP).to_string();
        if !parent.join(&name).exists() {
            return Ok(name);
        }
        now = now.checked_add(jiff::Span::new().seconds(1))?;
    }
}

/// `YYYYMMDDTHHMMSS+ZZZZ`.
const TIMESTAMP: &str = "%Y%m%dT%H%M%S%z";

/// Whether a directory is called like a run.
pub fn is_timestamp(name: &str) -> bool {
    let form = |b: u8, pattern: u8| match pattern {
        b'0' => b.is_ascii_digit(),
        b'+' => b == b'+' || b == b'-',
        literal => b == literal,
    };
    let pattern = b"00000000T000000+0000";
    name.len() == pattern.len() && name.bytes().zip(pattern).all(|(b, p)| form(b, *p))
}

/// A log that is missing was never written: nothing to copy.
fn copy_end(from: &Path, to: &Path) -> Result<()> {
    use std::io::{Seek as _, SeekFrom};
    let Ok(mut source) = fs::File::open(from) else { return Ok(()) };
    let size = source.metadata()?.len();
    source.seek(SeekFrom::Start(size.saturating_sub(MAX_LOG)))?;
    let mut target = fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    std::io::copy(&mut source, &mut target)?;
    Ok(())
}

impl LaneResult {
    /// A lane that has only begun: what is on disk if it is killed.
    pub fn begun(lane: &str, seed: u64, time_scale: f64) -> Self {
        Self {
            schema_version: SCHEMA,
            lane: lane.to_owned(),
            success: false,
            error: Some("the lane did not end: it was killed, or still runs".to_owned()),
            started: jiff::Timestamp::now().to_string(),
            finished: None,
            checks: Vec::new(),
            node_body: "netns".to_owned(),
            accelerator: None,
            image: None,
            payload: None,
            time_scale,
            commit: None,
            dirty: None,
            binary_sha256: None,
            seed,
            from: None,
            host: Host::this(),
            faults: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_at_once_do_not_share_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let a = Evidence::create(root.path(), "smoke").unwrap();
        let b = Evidence::create(root.path(), "smoke").unwrap();
        assert_ne!(a.dir(), b.dir());
        for run in [&a, &b] {
            assert!(is_timestamp(run.dir().file_name().unwrap().to_str().unwrap()), "{run:?}");
        }
        assert_eq!(
            fs::canonicalize(root.path().join("smoke/latest")).unwrap(),
            fs::canonicalize(b.dir()).unwrap()
        );
    }

    #[test]
    fn only_timestamps_are_timestamps() {
        assert!(is_timestamp("20260410T172148+0900"));
        assert!(is_timestamp("20260410T172148-0130"));
        for other in ["latest", "20260410T172148", "20260410T172148+09:00", "2026041xT172148+0900"] {
            assert!(!is_timestamp(other), "{other}");
        }
    }

    #[test]
    fn this_machine_has_a_kernel_and_memory() {
        let host = Host::this();
        assert!(!host.kernel.is_empty() && host.cpus > 0 && host.mem_mib > 0, "{host:?}");
    }
}
