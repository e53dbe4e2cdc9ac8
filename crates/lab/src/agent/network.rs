//! The node's one interface, once the switch has plugged it in.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::reaper::Reaper;

/// The interface that the switch plugs in.
pub(crate) const INTERFACE: &str = "eth0";

/// Gives `lo` and the interface their addresses and brings them up.
pub async fn configure(reaper: &Reaper, address: Ipv4Addr, prefix: u8, mac: &str) -> Result<()> {
    let script = format!(
        "link set lo up\nlink set {INTERFACE} address {mac}\naddr replace {address}/{prefix} dev {INTERFACE}\n\
         link set {INTERFACE} up\n"
    );
    let mut ip = Command::new("ip");
    ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let (mut child, end) = reaper.spawn(&mut ip).context("cannot run ip (package iproute2)")?;
    child.stdin.take().context("ip has no input")?.write_all(script.as_bytes())?;
    let exit = end.await.context("ip was lost")?;
    if !exit.is_clean() {
        bail!("ip ended with {exit}; its words are on the console");
    }
    Ok(())
}
