//! The disk for the services' data. It is mounted when a machine gets its place in the network and not before:
//! a machine that was put to sleep in a file never remembers anything of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MsFlags, mount as mount_at};

use crate::node::vm::machine::serial;

/// Below it every service has its own.
const DATA: &str = "/var/lib/ultracloud";

nix::ioctl_none!(flush_buffers, 0x12, 97);

/// Mounts it if it is not.
pub(super) fn mount(node: &str) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    if mounts.lines().filter_map(|line| line.split(' ').nth(1)).any(|target| target == DATA) {
        return Ok(());
    }
    let disk = find(&serial(node, "data"))?;
    forget(&disk).with_context(|| format!("cannot flush {}", disk.display()))?;
    fs::create_dir_all(DATA).with_context(|| format!("cannot make {DATA}"))?;
    mount_at(Some(&disk), DATA, Some("ext4"), MsFlags::MS_NOATIME, None::<&str>)
        .with_context(|| format!("cannot mount {} at {DATA}", disk.display()))
}

/// The disk with a serial.
fn find(serial: &str) -> Result<PathBuf> {
    for disk in fs::read_dir("/sys/block")? {
        let disk = disk?;
        let known = fs::read_to_string(disk.path().join("serial")).unwrap_or_default();
        if known.trim() == serial {
            return Ok(Path::new("/dev").join(disk.file_name()));
        }
    }
    anyhow::bail!("no disk has the serial {serial}")
}

/// Whatever was read of it before may be wrong by now.
#[expect(unsafe_code, reason = "BLKFLSBUF, an ioctl without an argument, on a disk that is open")]
fn forget(disk: &Path) -> Result<()> {
    use std::os::fd::AsRawFd as _;
    let disk = File::open(disk)?;
    // SAFETY: the descriptor is open, and the call takes no memory of ours.
    unsafe { flush_buffers(disk.as_raw_fd()) }?;
    Ok(())
}
