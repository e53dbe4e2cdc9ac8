//! Who a machine is: what the host tells it by a credential in its firmware (systemd.exec(5),
//! `ImportCredential=`), because one image serves all machines.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::agent::reaper::Reaper;
use crate::agent::{HOME, network};
use crate::node::identity::{CREDENTIAL, Identity};
use crate::private_file::write_private;

/// What the host says to this machine.
pub(super) fn from_credentials() -> Result<Identity> {
    let dir = std::env::var_os("CREDENTIALS_DIRECTORY")
        .context("there are no credentials: this is run by its unit, on a machine of the lab")?;
    let path = Path::new(&dir).join(CREDENTIAL);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).context("the host's credential is damaged")
}

/// Becomes that machine. Done again, it changes nothing.
pub(super) async fn apply(identity: &Identity, reaper: &Reaper) -> Result<()> {
    nix::unistd::sethostname(&identity.name).context("cannot set the host name")?;
    let file = |path: &str, mode, content: &str| {
        write_private(Path::new(path), mode, content.as_bytes())
            .with_context(|| format!("cannot write {path}"))
    };
    file("/etc/hostname", 0o644, &format!("{}\n", identity.name))?;
    file("/etc/hosts", 0o644, &identity.hosts_file())?;
    file(&format!("{HOME}/.ssh/authorized_keys"), 0o600, &identity.authorized_keys)?;
    file("/etc/ssh/ssh_host_ed25519_key", 0o600, &identity.ssh_host_key)?;
    network::configure(reaper, identity.address, identity.prefix, &identity.mac).await
}
