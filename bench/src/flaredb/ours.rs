//! Three members of FlareDB, without ChainFire: one database needs no directory.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Context as _;
use kit::task::Tasks;

use super::MEMBERS;
use super::server::{Place, Running, System};
use crate::cluster::{free_ports, pinned};
use crate::peer::bound_to_us;
use crate::peer::chainfire::build;
use crate::pki::Pki;

/// The server binary.
#[derive(Debug)]
pub struct Flaredb {
    program: PathBuf,
}

impl Flaredb {
    /// The given program, or one built from this checkout in the profile that this program has.
    pub fn find(given: Option<PathBuf>) -> anyhow::Result<Self> {
        Ok(Self { program: given.map_or_else(build, Ok)? })
    }
}

#[async_trait::async_trait]
impl System for Flaredb {
    fn name(&self) -> String {
        format!("flaredb {}", env!("CARGO_PKG_VERSION"))
    }

    async fn start(&self, place: &Place<'_>) -> anyhow::Result<Running> {
        let dir = place.root.join("flaredb");
        let ports = free_ports(3 * MEMBERS.len())?;
        let mut running = Running { port: ports[0], processes: Vec::new(), dir, tasks: Tasks::default() };
        for (at, member) in MEMBERS.iter().enumerate() {
            let home = running.dir.join(member);
            fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
            let file = home.join("flaredb.toml");
            fs::write(&file, config(at, &ports, &home.join("data"), place.pki))?;
            let log = File::create(home.join("log"))?;
            let mut command = bound_to_us(&self.program);
            command.args(["run", "flaredb", "--config"]).arg(file);
            let child = pinned(command, place.cpus)
                .stdin(std::process::Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
                .context("cannot start flaredb")?;
            running.processes.push(child);
        }
        let log = running.dir.join(MEMBERS[0]).join("log");
        running.wait(place.pki, &log).await?;
        Ok(running)
    }
}

fn config(own: usize, ports: &[u16], data: &std::path::Path, pki: &Pki) -> String {
    let member = |at: usize| {
        let (name, peer) = (MEMBERS[at], ports[3 * at + 1]);
        format!("[[initial_members]]\nname = \"{name}\"\npeer = \"127.0.0.1:{peer}\"\n")
    };
    let members: String = (0..MEMBERS.len()).map(member).collect();
    format!(
        r#"name = "{name}"
data_dir = "{data}"
cluster_token = "bench"
{members}
[client]
listen = "127.0.0.1:{client}"
advertise = "127.0.0.1:{client}"
allow = ["operator/*"]
[peer]
listen = "127.0.0.1:{peer}"
advertise = "127.0.0.1:{peer}"
allow = ["node/*/flaredb"]
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
        name = MEMBERS[own],
        data = data.display(),
        client = ports[3 * own],
        peer = ports[3 * own + 1],
        admin = ports[3 * own + 2],
        cert = pki.cert(MEMBERS[own]).display(),
        key = pki.key(MEMBERS[own]).display(),
        ca = pki.ca().display(),
    )
}
