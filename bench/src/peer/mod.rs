//! The systems that can be started: each says how one member of three is run.

pub mod chainfire;
pub mod etcd;

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::pki::Pki;

/// The names of the members; their certificates carry the same names.
pub const MEMBERS: &[&str] = &["node01", "node02", "node03"];

/// One member: loopback ports and a directory of its own.
#[derive(Clone, Debug)]
pub struct Member {
    /// A name out of [`MEMBERS`].
    pub name: String,
    /// The port for clients.
    pub client: u16,
    /// The port for the other members.
    pub peer: u16,
    /// The port for metrics and health.
    pub admin: u16,
    /// Where it keeps its data, and nothing else is kept.
    pub data: PathBuf,
    /// Where files that are not data may be put, such as a configuration.
    pub home: PathBuf,
}

/// A replicated key-value server that speaks etcd v3.
pub trait Peer {
    /// What the table calls it.
    fn name(&self) -> String;
    /// Whether clients and members speak TLS.
    fn tls(&self) -> bool {
        true
    }
    /// The command that runs `member` of a new cluster of `all`.
    fn command(&self, member: &Member, all: &[Member], pki: &Pki) -> anyhow::Result<Command>;
}

/// Runs `program` so that the kernel kills it when this program dies, however it dies.
pub(crate) fn bound_to_us(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The root of the checkout this program was built from.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
