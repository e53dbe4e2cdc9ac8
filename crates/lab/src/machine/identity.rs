//! Who a machine is: what the host tells it by a credential in its firmware (systemd.exec(5),
//! `ImportCredential=`), because one image serves all machines.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::agent::reaper::Reaper;
use crate::agent::{HOME, network};
use crate::private_file::write_private;

/// The credential's name.
pub const CREDENTIAL: &str = "uc.identity";

/// Everything that one machine has and another has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Host name.
    pub name: String,
    /// Its address on the lab's network.
    pub address: Ipv4Addr,
    /// Bits of that network.
    pub prefix: u8,
    /// Of its interface.
    pub mac: String,
    /// Every node's name and address.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// The roles it starts with.
    pub roles: Vec<String>,
    /// Whose keys open a shell as root, in OpenSSH's form.
    pub authorized_keys: String,
    /// What it shows to ssh clients, in OpenSSH's form. Private.
    pub ssh_host_key: String,
}

impl Identity {
    /// What the host says to this machine.
    pub fn from_credentials() -> Result<Self> {
        let dir = std::env::var_os("CREDENTIALS_DIRECTORY")
            .context("there are no credentials: this is run by its unit, on a machine of the lab")?;
        let path = Path::new(&dir).join(CREDENTIAL);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).context("the host's credential is damaged")
    }

    /// As QEMU gives it to the firmware (systemd.system-credentials(7)).
    pub fn as_credential(&self) -> Result<String> {
        Ok(format!("io.systemd.credential:{CREDENTIAL}={}", serde_json::to_string(self)?))
    }

    /// Becomes that machine. Done again, it changes nothing.
    pub(super) async fn apply(&self, reaper: &Reaper) -> Result<()> {
        nix::unistd::sethostname(&self.name).context("cannot set the host name")?;
        let file = |path: &str, mode, content: &str| {
            write_private(Path::new(path), mode, content.as_bytes())
                .with_context(|| format!("cannot write {path}"))
        };
        file("/etc/hostname", 0o644, &format!("{}\n", self.name))?;
        file("/etc/hosts", 0o644, &self.hosts_file())?;
        file(&format!("{HOME}/.ssh/authorized_keys"), 0o600, &self.authorized_keys)?;
        file("/etc/ssh/ssh_host_ed25519_key", 0o600, &self.ssh_host_key)?;
        network::configure(reaper, self.address, self.prefix, &self.mac).await
    }

    fn hosts_file(&self) -> String {
        let others = self.hosts.iter().map(|(name, address)| format!("{address} {name}\n"));
        std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(others).collect()
    }
}
