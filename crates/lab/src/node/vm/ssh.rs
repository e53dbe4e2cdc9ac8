//! The keys by which a person logs in to the machines of one cluster.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Keys of a cluster, made on its first start and kept beside its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    dir: PathBuf,
    /// What machines show to clients, in OpenSSH's form. Private.
    pub host_key: String,
    /// Whom they let in.
    pub authorized: String,
}

impl Keys {
    /// Opens the keys, or makes them.
    pub fn open(pki: &Path, network: &str) -> Result<Self> {
        let dir = pki.join("ssh");
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        for name in ["operator", "host"] {
            make(&dir.join(name), name)?;
        }
        let read =
            |name: &str| fs::read_to_string(dir.join(name)).context("cannot read the cluster's ssh keys");
        fs::write(dir.join("known_hosts"), format!("{network} {}", read("host.pub")?))?;
        Ok(Self { host_key: read("host")?, authorized: read("operator.pub")?, dir })
    }

    /// A command that logs in.
    pub fn login(&self, address: Ipv4Addr) -> Vec<String> {
        let file = |name: &str| self.dir.join(name).to_string_lossy().into_owned();
        let known = format!("UserKnownHostsFile={}", file("known_hosts"));
        let fixed = ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"];
        ["ssh", "-i", &file("operator"), "-o", &known]
            .into_iter()
            .chain(fixed)
            .chain([format!("root@{address}").as_str()])
            .map(str::to_owned)
            .collect()
    }
}

fn make(path: &Path, comment: &str) -> Result<()> {
    if path.exists() && path.with_extension("pub").exists() {
        return Ok(());
    }
    let _ = fs::remove_file(path);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path).stdin(Stdio::null());
    let status = command.status().context("cannot run ssh-keygen (package openssh-client)")?;
    ensure!(status.success(), "ssh-keygen ended with {status}");
    Ok(())
}
