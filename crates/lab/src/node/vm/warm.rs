//! Machines that sleep in files: put to sleep once, right after their first boot and before they have any data or
//! network, and woken from there by every later start. What a boot computes is in the file; what it must not
//! know (the time, who it is today, randomness) it is told when it wakes.
//!
//! A file is of one machine: the same image, binaries, QEMU and arguments, all of them in its key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use qmp::Monitor;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::private_file::make_private_dir;

/// Between two looks at a migration.
const PAUSE: Duration = Duration::from_millis(20);

/// Memory to or from a file: half a second on a quiet host.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where one machine sleeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bed {
    dir: PathBuf,
    key: String,
}

impl Bed {
    /// A machine's place; `traits` are what must be the same for it to wake there.
    pub fn of(dir: PathBuf, traits: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for one in traits {
            hash.update(one.len().to_le_bytes());
            hash.update(one);
        }
        let key = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { dir, key }
    }

    fn stamp(&self) -> PathBuf {
        self.dir.join("key")
    }

    fn memory(&self) -> PathBuf {
        self.dir.join("memory")
    }

    /// Its system disk as it was when it went to sleep; not to be written any more.
    pub(super) fn root(&self) -> PathBuf {
        self.dir.join("root.qcow2")
    }

    /// Whether a machine with just these traits sleeps here.
    pub(super) fn is_taken(&self) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|key| key == self.key)
            && self.memory().is_file()
            && self.root().is_file()
    }

    /// Throws away whoever sleeps here.
    pub(super) fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", self.dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Writes a machine's memory down and ends it.
    pub(super) async fn lay_down(&self, monitor: &Monitor) -> Result<()> {
        self.clear()?;
        // What is in a machine's memory is nobody else's business.
        make_private_dir(&self.dir)?;
        command(monitor, "stop", qmp::none()).await?;
        in_place(monitor).await?;
        command(monitor, "migrate", json!({"uri": self.uri()})).await?;
        finished(monitor).await.context("its memory cannot be written")?;
        command(monitor, "quit", qmp::none()).await
    }

    /// Keeps its disk, now that it has ended; from here on it sleeps.
    pub(super) fn keep(&self, root: &Path) -> Result<()> {
        fs::rename(root, self.root()).with_context(|| format!("cannot move {}", root.display()))?;
        fs::write(self.stamp(), &self.key).with_context(|| format!("cannot write {}", self.stamp().display()))
    }

    /// Wakes it in a QEMU that was started with `-incoming defer`.
    pub(super) async fn wake(&self, monitor: &Monitor) -> Result<()> {
        in_place(monitor).await?;
        command(monitor, "migrate-incoming", json!({"uri": self.uri()})).await?;
        finished(monitor).await.context("its memory cannot be read")?;
        command(monitor, "cont", qmp::none()).await
    }

    fn uri(&self) -> String {
        format!("file:{}", self.memory().display())
    }
}

async fn command(monitor: &Monitor, name: &str, arguments: Value) -> Result<()> {
    monitor.execute::<Value>(name, arguments).await.map(drop).context("QEMU refuses")
}

/// Every page has its place in the file: it is written once, and read by need.
async fn in_place(monitor: &Monitor) -> Result<()> {
    let capabilities = json!([{"capability": "mapped-ram", "state": true}]);
    command(monitor, "migrate-set-capabilities", json!({"capabilities": capabilities})).await
}

#[derive(Deserialize)]
struct Migration {
    status: Option<String>,
    #[serde(rename = "error-desc")]
    error: Option<String>,
}

async fn finished(monitor: &Monitor) -> Result<()> {
    let wait = async {
        loop {
            let now: Migration =
                monitor.execute("query-migrate", qmp::none()).await.context("QEMU refuses")?;
            match now.status.as_deref() {
                Some("completed") => return Ok(()),
                Some(end @ ("failed" | "cancelled")) => bail!("{end}: {}", now.error.unwrap_or_default()),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("not within {PATIENCE:?}"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_wakes_only_where_nothing_has_changed() {
        let dir = tempfile::tempdir().unwrap();
        let bed = |traits: &[&str]| Bed::of(dir.path().join("node01"), traits);
        let slept = bed(&["image", "-m 384"]);
        fs::create_dir_all(&slept.dir).unwrap();
        fs::write(slept.memory(), "").unwrap();
        let root = dir.path().join("root");
        fs::write(&root, "").unwrap();
        assert!(!slept.is_taken());
        slept.keep(&root).unwrap();
        assert!(slept.is_taken());
        // Where one trait ends and the next begins is part of the key.
        for other in [&["image", "-m 512"][..], &["image"], &["image-m", " 384"]] {
            assert!(!bed(other).is_taken(), "{other:?}");
        }
        slept.clear().unwrap();
        slept.clear().unwrap();
        assert!(!slept.is_taken());
    }
}
