//! Where a cluster keeps its things on the host.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest, Sha256};

/// Unix socket paths end at 107 bytes, and checkouts sit anywhere: sockets live here instead.
const RUNTIME_ROOT: &str = "/run/ultracloud-lab";

/// Variables that move things.
const WORK_ROOT: &str = "ULTRACLOUD_WORK_ROOT";
const CLUSTER_ROOT: &str = "PHOTON_CLUSTER_WORK_ROOT";
const STATE: &str = "PHOTON_VM_DIR";

/// The directories of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The checkout.
    pub repository: PathBuf,
    /// Everything below, unless it was moved.
    pub work_root: PathBuf,
    /// Evidence of lanes; the work root itself unless a suite keeps its own.
    pub evidence: PathBuf,
    /// This cluster's lock and state.
    pub cluster_root: PathBuf,
    /// What a stopped cluster keeps: node disks, keys, `cluster.json`.
    pub state: PathBuf,
    /// Sockets.
    pub runtime: PathBuf,
    /// Follows from `state`: the same cluster on every run, another one for another checkout.
    pub id: String,
}

impl Paths {
    /// From `ULTRACLOUD_WORK_ROOT`, `PHOTON_CLUSTER_WORK_ROOT` and `PHOTON_VM_DIR`, or the checkout.
    pub fn discover() -> Result<Self> {
        let repository = find_repository()?;
        let work_root = path_from(WORK_ROOT).unwrap_or_else(|| repository.join("work"));
        let cluster_root = path_from(CLUSTER_ROOT).unwrap_or_else(|| work_root.join("test-cluster"));
        let state = path_from(STATE).unwrap_or_else(|| cluster_root.join("state"));
        Self::new(repository, work_root, cluster_root, state)
    }

    /// Everything under one directory, as a test wants it.
    pub fn under(root: &Path) -> Result<Self> {
        Self::new(
            root.to_owned(),
            root.to_owned(),
            root.join("test-cluster"),
            root.join("test-cluster/state"),
        )
    }

    fn new(repository: PathBuf, work_root: PathBuf, cluster_root: PathBuf, state: PathBuf) -> Result<Self> {
        let absolute = |path: PathBuf| {
            std::path::absolute(&path).with_context(|| format!("cannot tell where {} is", path.display()))
        };
        let state = absolute(state)?;
        let id = short_id(&state);
        let work_root = absolute(work_root)?;
        Ok(Self {
            repository: absolute(repository)?,
            evidence: work_root.clone(),
            work_root,
            cluster_root: absolute(cluster_root)?,
            runtime: Path::new(RUNTIME_ROOT).join(&id),
            state,
            id,
        })
    }

    /// What makes another process discover the same cluster.
    pub fn environment(&self) -> [(&'static str, &Path); 3] {
        [(WORK_ROOT, &self.work_root), (CLUSTER_ROOT, &self.cluster_root), (STATE, &self.state)]
    }

    /// Another cluster of the same checkout: its state in `root`, its evidence in `evidence`.
    pub fn aside(&self, root: &Path, evidence: &Path) -> Result<Self> {
        let (repository, work_root) = (self.repository.clone(), self.work_root.clone());
        let aside = Self::new(repository, work_root, root.to_owned(), root.join("state"))?;
        let evidence = std::path::absolute(evidence)
            .with_context(|| format!("cannot tell where {} is", evidence.display()))?;
        Ok(Self { evidence, ..aside })
    }

    /// Images of machines, by the hash of their recipe.
    pub fn images(&self) -> PathBuf {
        self.work_root.join("images")
    }

    /// Whether this host carries machines with KVM.
    pub fn accel(&self) -> PathBuf {
        self.images().join("accel.json")
    }

    /// Where this cluster's machines sleep between two starts.
    pub fn beds(&self) -> PathBuf {
        self.images().join("asleep").join(&self.id)
    }

    /// Links to the clients that `env` puts on the PATH.
    pub fn bin(&self) -> PathBuf {
        self.state.join("bin")
    }

    /// Held by the supervisor for as long as it lives.
    pub fn lock(&self) -> PathBuf {
        self.cluster_root.join("lock")
    }

    /// Held by a verb that changes the cluster, so that two lanes never share one.
    pub fn verb_lock(&self) -> PathBuf {
        self.cluster_root.join("verb.lock")
    }

    /// What the supervisor writes down about itself and the nodes.
    pub fn state_file(&self) -> PathBuf {
        self.state.join("cluster.json")
    }

    /// What the machines of a cluster are made of.
    pub fn machines(&self) -> PathBuf {
        self.state.join("machines.json")
    }

    /// The supervisor's own log.
    pub fn supervisor_log(&self) -> PathBuf {
        self.state.join("supervisor.log")
    }

    /// Where the command line attaches.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("supervisor.sock")
    }

    /// Where a node's init listens.
    pub fn node_socket(&self, node: &str) -> PathBuf {
        self.runtime.join(format!("{node}.sock"))
    }

    /// A node's disk, logs and configuration.
    pub fn node(&self, node: &str) -> PathBuf {
        self.state.join(node)
    }

    /// Keys and certificates.
    pub fn pki(&self) -> PathBuf {
        self.state.join("pki")
    }
}

fn path_from(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|v| !v.is_empty()).map(PathBuf::from)
}

fn short_id(state: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(state.as_os_str().as_bytes());
    digest.iter().take(4).map(|b| format!("{b:02x}")).collect()
}

/// The directory above the current one that holds this workspace.
fn find_repository() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the current directory is gone")?;
    match here.ancestors().find(|dir| dir.join("crates/lab/Cargo.toml").is_file()) {
        Some(dir) => Ok(dir.to_owned()),
        None => bail!("{} is not inside a checkout of UltraCloud: run ./cluster from there", here.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_of_two_checkouts_never_meet() {
        let (a, b) = (Paths::under(Path::new("/a")).unwrap(), Paths::under(Path::new("/b")).unwrap());
        assert_ne!(a.id, b.id);
        assert_ne!(a.runtime, b.runtime);
        assert_eq!(a.id, Paths::under(Path::new("/a")).unwrap().id);
    }

    #[test]
    fn a_cluster_aside_is_found_by_its_environment() {
        let paths = Paths::under(Path::new("/a")).unwrap();
        let aside = paths.aside(Path::new("/a/aside"), Path::new("/logs")).unwrap();
        assert_ne!(aside.id, paths.id);
        assert_eq!(aside.evidence, Path::new("/logs"));
        let expected = [(WORK_ROOT, "/a"), (CLUSTER_ROOT, "/a/aside"), (STATE, "/a/aside/state")];
        assert_eq!(aside.environment(), expected.map(|(name, path)| (name, Path::new(path))));
    }

    #[test]
    fn a_socket_path_fits_whatever_the_checkout_is_called() {
        let deep = Path::new("/").join("d".repeat(200));
        let paths = Paths::under(&deep).unwrap();
        let longest = paths.node_socket(&"n".repeat(32));
        assert!(longest.as_os_str().len() < 108, "{}", longest.display());
    }
}
