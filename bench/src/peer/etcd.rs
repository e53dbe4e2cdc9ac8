//! etcd 3.5, with its defaults: only addresses, names and TLS are set. And what takes its place by its flags.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command as Blocking;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::{Member, Peer, bound_to_us, repository};
use crate::pki::Pki;

/// An etcd server program.
#[derive(Debug)]
pub struct Etcd {
    program: PathBuf,
    version: String,
    tls: bool,
    /// How long a token lives unused, in seconds, if not as by default.
    token_ttl: Option<u32>,
}

impl Etcd {
    /// With tokens that live so many seconds unused.
    #[must_use]
    pub fn with_token_ttl(mut self, seconds: Option<u32>) -> Self {
        self.token_ttl = seconds;
        self
    }

    /// The given program, or Debian trixie's, unpacked into the cache.
    pub fn find(given: Option<PathBuf>) -> anyhow::Result<Self> {
        Self::at(given.map_or_else(fetch, Ok)?, true)
    }

    /// A program of another make that stands in etcd's place: under a link of that name in `dir`.
    pub fn stand_in(program: &Path, dir: &Path, tls: bool) -> anyhow::Result<Self> {
        let link = dir.join("etcd");
        symlink(program, &link).with_context(|| format!("cannot make the link {}", link.display()))?;
        Self::at(link, tls)
    }

    fn at(program: PathBuf, tls: bool) -> anyhow::Result<Self> {
        let output = Blocking::new(&program).arg("--version").output().with_context(|| {
            format!("cannot run {}: give the program with --etcd FILE", program.display())
        })?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("{} does not say its version as etcd does", program.display()))?;
        Ok(Self { program, version, tls, token_ttl: None })
    }
}

fn fetch() -> anyhow::Result<PathBuf> {
    let output = Blocking::new(repository().join("scripts/fetch-deb"))
        .args(["etcd-server", "trixie"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run scripts/fetch-deb")?;
    ensure!(
        output.status.success(),
        "no etcd could be fetched (see above): give the program with --etcd FILE"
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()).join("usr/bin/etcd"))
}

/// `etcd Version: 3.5.16` is the first line of `etcd --version`.
fn parse_version(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("etcd Version: ")).map(|version| version.trim().to_owned())
}

impl Peer for Etcd {
    fn name(&self) -> String {
        format!("etcd {}", self.version)
    }

    fn tls(&self) -> bool {
        self.tls
    }

    fn command(&self, member: &Member, all: &[Member], pki: &Pki) -> anyhow::Result<Command> {
        let scheme = if self.tls { "https" } else { "http" };
        let url = |port: u16| format!("{scheme}://127.0.0.1:{port}");
        let cluster: Vec<String> = all.iter().map(|m| format!("{}={}", m.name, url(m.peer))).collect();
        let mut command = bound_to_us(&self.program);
        command.arg("--name").arg(&member.name).arg("--data-dir").arg(&member.data);
        for (flag, port) in [("client-urls", member.client), ("peer-urls", member.peer)] {
            let advertise =
                if flag == "client-urls" { "advertise-client-urls" } else { "initial-advertise-peer-urls" };
            command.arg(format!("--listen-{flag}={}", url(port))).arg(format!("--{advertise}={}", url(port)));
        }
        for prefix in ["", "peer-"].into_iter().filter(|_| self.tls) {
            command
                .arg(format!("--{prefix}client-cert-auth"))
                .arg(format!("--{prefix}trusted-ca-file={}", pki.ca().display()))
                .arg(format!("--{prefix}cert-file={}", pki.cert(&member.name).display()))
                .arg(format!("--{prefix}key-file={}", pki.key(&member.name).display()));
        }
        command.arg("--initial-cluster").arg(cluster.join(",")).arg("--initial-cluster-state=new");
        command.arg("--log-level=warn");
        command.args(self.token_ttl.map(|ttl| format!("--auth-token-ttl={ttl}")));
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_etcds_own_words() {
        assert_eq!(parse_version("etcd Version: 3.5.16\nGit SHA: x\n").as_deref(), Some("3.5.16"));
        assert_eq!(parse_version("something else"), None);
    }
}
