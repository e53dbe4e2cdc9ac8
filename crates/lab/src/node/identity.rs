//! Who a node is, where it cannot know by itself: one image serves all machines.

use std::net::Ipv4Addr;

use anyhow::Result;
use serde::{Deserialize, Serialize};

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
    /// As QEMU gives it to the firmware (systemd.system-credentials(7)).
    pub fn as_credential(&self) -> Result<String> {
        Ok(format!("io.systemd.credential:{CREDENTIAL}={}", serde_json::to_string(self)?))
    }

    /// Every node's name, as hosts(5) has it.
    pub fn hosts_file(&self) -> String {
        let others = self.hosts.iter().map(|(name, address)| format!("{address} {name}\n"));
        std::iter::once("127.0.0.1 localhost\n".to_owned()).chain(others).collect()
    }
}
