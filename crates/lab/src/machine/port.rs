//! The machine's end of the serial channel.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::net::BoxStream;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::Instant;

use crate::node::vm::CHANNEL;

/// The kernel finds its devices within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the port that has the channel's name. By the kernel's own list: udev may not be up yet.
pub(super) async fn open() -> Result<BoxStream> {
    let deadline = Instant::now() + PATIENCE;
    let device = loop {
        match find() {
            Ok(Some(device)) => break device,
            Ok(None) if Instant::now() < deadline => {}
            Ok(None) => bail!("this machine has no serial port called {CHANNEL}"),
            Err(e) => return Err(e).context("cannot look for the serial channel"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let file = File::options().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&device);
    let file = file.with_context(|| format!("cannot open {}", device.display()))?;
    // Not pipes, but pollable all the same, which is all that these need.
    let sender = Sender::from_owned_fd_unchecked(file.try_clone()?.into())?;
    let receiver = Receiver::from_owned_fd_unchecked(file.into())?;
    Ok(Box::new(tokio::io::join(receiver, sender)))
}

fn find() -> io::Result<Option<PathBuf>> {
    let ports = match fs::read_dir("/sys/class/virtio-ports") {
        Ok(ports) => ports,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    for port in ports {
        let port = port?;
        let name = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if name.trim() == CHANNEL {
            return Ok(Some(PathBuf::from("/dev").join(port.file_name())));
        }
    }
    Ok(None)
}
