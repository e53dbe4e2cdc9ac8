//! What a cluster writes down about itself, so that the next command, or the next run after a crash,
//! knows exactly what is its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::paths::Paths;
use crate::process::{Process, poll_until};
use crate::topology::Topology;

/// Of [`ClusterState`] on disk.
const SCHEMA: u32 = 1;

/// The kernel closes a killed process's files within this.
const ENDING: Duration = Duration::from_secs(3);

/// `cluster.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// [`SCHEMA`]; another number is another version's file.
    pub schema_version: u32,
    /// The cluster's id.
    pub id: String,
    /// The topology's name.
    pub topology: String,
    /// `netns` or `vm`.
    pub node_body: String,
    /// Of all faults.
    pub seed: u64,
    /// RFC 3339.
    pub started: String,
    /// The process that owns everything.
    pub supervisor: Option<Process>,
    /// Its sockets.
    pub runtime: PathBuf,
    /// The cgroup (v2) above all nodes, when the host has one.
    pub cgroup: Option<PathBuf>,
    /// Every node's name: each has a directory in the state.
    pub node_names: Vec<String>,
    /// Each node's first process, as the host sees it.
    pub nodes: BTreeMap<String, Process>,
    /// Host port by `node:port`. Kept after a stop, so that the next start takes the same ports.
    pub forwards: BTreeMap<String, u16>,
    /// SHA-256 of the server binary that runs.
    pub binary_sha256: Option<String>,
}

impl ClusterState {
    /// A cluster that has not booted yet.
    pub fn new(paths: &Paths, topology: &Topology, seed: u64) -> Self {
        Self {
            schema_version: SCHEMA,
            id: paths.id.clone(),
            topology: topology.name.clone(),
            node_body: "netns".to_owned(),
            seed,
            started: jiff::Timestamp::now().to_string(),
            supervisor: None,
            runtime: paths.runtime.clone(),
            cgroup: None,
            node_names: topology.nodes.iter().map(|n| n.name.clone()).collect(),
            nodes: BTreeMap::new(),
            forwards: BTreeMap::new(),
            binary_sha256: None,
        }
    }

    /// Reads the state; `None` when there is none.
    pub fn load(paths: &Paths) -> Result<Option<Self>> {
        let path = paths.state_file();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        let state: Self = serde_json::from_slice(&text).with_context(|| {
            format!("{} is damaged or of another version: run ./cluster clean", path.display())
        })?;
        if state.schema_version != SCHEMA {
            bail!(
                "{} has schema {}, not {SCHEMA}: run ./cluster clean",
                path.display(),
                state.schema_version
            );
        }
        Ok(Some(state))
    }

    /// Replaces the state on disk, old or new after a crash.
    pub fn save(&self, paths: &Paths) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace_file(&paths.state_file(), &text)
    }

    /// Whether the supervisor that wrote this still runs.
    pub fn is_running(&self) -> bool {
        self.supervisor.as_ref().is_some_and(Process::is_alive)
    }
}

/// Writes a file so that a reader sees the old or the new content.
pub fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let draft = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&draft)?;
        file.write_all(content)?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// An exclusive lock that ends with its holder, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<File>,
}

impl Lock {
    /// As [`Lock::take`], but waits a little for a holder that is ending.
    pub fn take_soon(path: &Path, holder: &str) -> Result<Self> {
        let mut taken = Self::take(path, holder);
        poll_until(ENDING, || {
            if taken.is_err() {
                taken = Self::take(path, holder);
            }
            taken.is_ok()
        });
        taken
    }

    /// Takes the lock or says who has it. Never waits.
    pub fn take(path: &Path, holder: &str) -> Result<Self> {
        let parent = path.parent().context("a lock needs a directory")?;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut locked) => {
                locked.set_len(0)?;
                writeln!(locked, "{} {holder}", std::process::id())?;
                Ok(Self { _file: locked })
            }
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                let other = std::fs::read_to_string(path).unwrap_or_default();
                bail!("{} is held by process {}", path.display(), other.trim());
            }
            Err((_, e)) => Err(e).with_context(|| format!("cannot lock {}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path()).unwrap();
        std::fs::create_dir_all(&paths.state).unwrap();
        (dir, paths)
    }

    #[test]
    fn state_survives_a_round_trip() {
        let (_dir, paths) = paths();
        assert_eq!(ClusterState::load(&paths).unwrap(), None);
        let mut state = ClusterState::new(&paths, &Topology::six().unwrap(), 7);
        state.supervisor = Some(Process::this().unwrap());
        state.forwards.insert("node01:2379".into(), 40001);
        state.save(&paths).unwrap();
        let loaded = ClusterState::load(&paths).unwrap().unwrap();
        assert_eq!(loaded, state);
        assert!(loaded.is_running());
    }

    #[test]
    fn a_stale_supervisor_is_not_running() {
        let (_dir, paths) = paths();
        let mut state = ClusterState::new(&paths, &Topology::six().unwrap(), 7);
        let me = Process::this().unwrap();
        state.supervisor = Some(Process { start_ticks: me.start_ticks + 1, ..me });
        assert!(!state.is_running());
    }

    #[test]
    fn damage_says_what_to_do() {
        let (_dir, paths) = paths();
        std::fs::write(paths.state_file(), b"{ \"schema_version\": 1").unwrap();
        let error = format!("{:#}", ClusterState::load(&paths).unwrap_err());
        assert!(error.contains("./cluster clean"), "{error}");
    }

    #[test]
    fn a_lock_has_one_holder() {
        let (_dir, paths) = paths();
        let first = Lock::take(&paths.lock(), "smoke").unwrap();
        let error = Lock::take(&paths.lock(), "clean").unwrap_err().to_string();
        assert!(error.contains("smoke"), "{error}");
        drop(first);
        Lock::take(&paths.lock(), "clean").unwrap();
    }
}
