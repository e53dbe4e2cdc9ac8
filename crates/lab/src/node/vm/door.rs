//! The host's own way into the lab's network: a namespace with a tap on the switch and nothing else in it.
//!
//! Connections to machines are dialled in there. No fault names its port, so a node that is cut off
//! from all others can still be asked how it is. It has no route to the host's network.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::agent::network::INTERFACE;
use crate::netns;
use crate::switch::tap;

/// The namespace.
#[derive(Debug)]
pub struct Door {
    network: OwnedFd,
}

impl Door {
    /// Makes it; the tap is to be plugged into the switch.
    pub fn open(address: Ipv4Addr, prefix: u8) -> Result<(Self, OwnedFd)> {
        let network = new_namespace().context("cannot make a network namespace")?;
        let tap = tap::open(network.as_fd(), INTERFACE).context("cannot make a tap for the host")?;
        configure(network.as_fd(), address, prefix)?;
        Ok((Self { network }, tap))
    }

    /// The namespace, to dial in.
    pub fn network(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }

    /// How a command is run in it while this process lives.
    pub fn command(&self) -> Result<Vec<String>> {
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.network.as_raw_fd());
        Ok(vec!["nsenter".to_owned(), format!("--net={path}"), "--".to_owned()])
    }
}

/// A namespace lives as long as somebody has it open.
#[expect(unsafe_code, reason = "unshare(2): only the network namespace, of a thread that ends with it")]
fn new_namespace() -> io::Result<OwnedFd> {
    let made = std::thread::spawn(|| -> io::Result<OwnedFd> {
        // SAFETY: CLONE_NEWNET leaves memory, files and signals shared as they were.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET)? };
        Ok(File::open("/proc/thread-self/ns/net")?.into())
    });
    made.join().unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
}

fn configure(network: BorrowedFd<'_>, address: Ipv4Addr, prefix: u8) -> Result<()> {
    let script =
        format!("link set lo up\naddr add {address}/{prefix} dev {INTERFACE}\nlink set {INTERFACE} up\n");
    let output = netns::inside(network, || {
        let mut ip = Command::new("ip");
        ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = ip.spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(script.as_bytes())?;
        }
        child.wait_with_output()
    });
    let output = output.context("cannot run ip (package iproute2)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip ended with {}: {}", output.status, said.trim());
    Ok(())
}
