//! A machine's disks: files above the images, which stay as they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::machine::Machine;

/// Makes the disks that do not exist yet, the system's above `base`. A system above another base is made anew: what
/// it was changed by is told to the machine again, and its data is on the other disk.
pub(super) async fn prepare(machine: &Machine, base: &Path) -> Result<()> {
    let stamp = stamp(machine);
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&*base.to_string_lossy()) {
        forget_root(machine)?;
    }
    if !machine.root.file.exists() {
        overlay(base, &machine.root.file).await?;
    }
    if !machine.data.file.exists() {
        copy(&machine.data.base, &machine.data.file)?;
    }
    fs::write(&stamp, base.to_string_lossy().as_bytes())
        .with_context(|| format!("cannot write {}", stamp.display()))
}

/// What the system's disk is above, in words.
fn stamp(machine: &Machine) -> PathBuf {
    machine.root.file.with_extension("base")
}

/// Throws the system's disk away.
pub(super) fn forget_root(machine: &Machine) -> Result<()> {
    for file in [&machine.root.file, &stamp(machine)] {
        match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", file.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The data outlives the image that it began with. An empty file system is a few megabytes.
fn copy(base: &Path, file: &Path) -> Result<()> {
    let draft = file.with_extension("draft");
    fs::copy(base, &draft)
        .and_then(|_| fs::rename(&draft, file))
        .with_context(|| format!("cannot copy {} to {}", base.display(), file.display()))
}

async fn overlay(base: &Path, file: &Path) -> Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(base).arg(file);
    let output = command.stdin(Stdio::null()).output().await;
    let output = output.context("cannot run qemu-img (package qemu-utils)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot make {}: {}", file.display(), said.trim());
    Ok(())
}
