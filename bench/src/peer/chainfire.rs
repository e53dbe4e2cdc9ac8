//! ChainFire: `ultracloud run chainfire` with its defaults: only addresses, names and TLS are set.

use std::path::{Path, PathBuf};
use std::process::Command as Blocking;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::{Member, Peer, bound_to_us, repository};
use crate::pki::Pki;

/// The server binary.
#[derive(Debug)]
pub struct Chainfire {
    program: PathBuf,
    /// How long a token lives unused, in seconds, if not as by default.
    token_ttl: Option<u32>,
}

impl Chainfire {
    /// With tokens that live so many seconds unused.
    #[must_use]
    pub fn with_token_ttl(mut self, seconds: Option<u32>) -> Self {
        self.token_ttl = seconds;
        self
    }

    /// The given program, or one built from this checkout in the profile that this program has.
    pub fn find(given: Option<PathBuf>) -> anyhow::Result<Self> {
        Ok(Self { program: given.map_or_else(build, Ok)?, token_ttl: None })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }
}

pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = Blocking::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).args(["build", "--locked", "-p", "ultracloud"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    ensure!(cargo.status().context("cannot run cargo")?.success(), "ultracloud does not build (see above)");
    Ok(std::env::current_exe()?.with_file_name("ultracloud"))
}

impl Peer for Chainfire {
    fn name(&self) -> String {
        format!("chainfire {}", env!("CARGO_PKG_VERSION"))
    }

    fn command(&self, member: &Member, all: &[Member], pki: &Pki) -> anyhow::Result<Command> {
        let file = member.home.join("chainfire.toml");
        let auth = self.token_ttl.map_or_else(String::new, |ttl| format!("[auth]\ntoken_ttl = \"{ttl}s\"\n"));
        std::fs::write(&file, config(member, all, pki) + &auth)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = bound_to_us(&self.program);
        command.args(["run", "chainfire", "--config"]).arg(file);
        Ok(command)
    }
}

fn config(member: &Member, all: &[Member], pki: &Pki) -> String {
    let members: String = all
        .iter()
        .map(|m| format!("[[initial_members]]\nname = \"{}\"\npeer = \"127.0.0.1:{}\"\n", m.name, m.peer))
        .collect();
    format!(
        r#"name = "{name}"
data_dir = "{data}"
cluster_token = "bench"
{members}
[client]
listen = "127.0.0.1:{client}"
advertise = ["https://127.0.0.1:{client}"]
allow = ["operator/*"]
[peer]
listen = "127.0.0.1:{peer}"
advertise = "127.0.0.1:{peer}"
allow = ["node/*/chainfire"]
[admin]
listen = "127.0.0.1:{admin}"
allow = ["operator/*"]
[tls]
cert = "{cert}"
key = "{key}"
ca = "{ca}"
[log]
filter = "warn"
"#,
        name = member.name,
        data = member.data.display(),
        client = member.client,
        peer = member.peer,
        admin = member.admin,
        cert = pki.cert(&member.name).display(),
        key = pki.key(&member.name).display(),
        ca = pki.ca().display(),
    )
}
