//! A directory that `lab` takes for a checkout, with a cluster of its own.

use std::path::Path;
use std::process::{Command, Output};

use lab::paths::Paths;
use lab::state::ClusterState;

/// Goes with everything in it.
pub(crate) struct World {
    _dir: tempfile::TempDir,
    pub(crate) paths: Paths,
}

impl World {
    /// With a topology of the test's own; `None` without root.
    pub(crate) fn new(topology: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: network namespaces need root");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("topology.toml"), topology).expect("a topology");
        std::fs::create_dir_all(dir.path().join("crates/lab")).expect("directories");
        std::fs::write(dir.path().join("crates/lab/Cargo.toml"), "").expect("a file");
        let paths = Paths::under(dir.path()).expect("paths");
        Some(Self { _dir: dir, paths })
    }

    /// `lab` with these arguments, not run yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let root = &self.paths.work_root;
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command
            .args(["--plain", "--topology"])
            .arg(root.join("topology.toml"))
            .args(arguments)
            .current_dir(root)
            .env("ULTRACLOUD_WORK_ROOT", root)
            .env_remove("PHOTON_CLUSTER_WORK_ROOT")
            .env_remove("PHOTON_VM_DIR");
        command
    }

    pub(crate) fn lab(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("lab runs")
    }

    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let output = self.lab(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "lab {arguments:?} ended with {}: {said}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn state(&self) -> ClusterState {
        ClusterState::load(&self.paths).expect("state is readable").expect("state exists")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.lab(&["clean"]);
        let _ = std::fs::remove_dir(self.paths.runtime.parent().unwrap_or(Path::new("/nonexistent")));
    }
}
