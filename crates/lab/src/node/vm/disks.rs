//! A machine's disks: files above the images, which stay as they are.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::machine::Machine;

/// Makes the disks that do not exist yet. A system above another image than today's is made anew: what it
/// was changed by is told to the machine again, and its data is on the other disk.
pub(super) async fn prepare(machine: &Machine) -> Result<()> {
    let stamp = machine.root.file.with_extension("base");
    let base = machine.root.base.to_string_lossy();
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&*base) {
        match fs::remove_file(&machine.root.file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", machine.root.file.display()));
            }
            _ => {}
        }
    }
    for disk in [&machine.root, &machine.data] {
        if !disk.file.exists() {
            overlay(&disk.base, &disk.file).await?;
        }
    }
    fs::write(&stamp, base.as_bytes()).with_context(|| format!("cannot write {}", stamp.display()))
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
