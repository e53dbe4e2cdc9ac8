//! The initial RAM disk: busybox, a few modules, and a script that finds the root file system. A megabyte instead of
//! the eighteen of Debian's own, most of which would be unpacked to look for hardware that is not there.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use super::modules::load_order;

/// What runs first.
pub(super) const INIT: &str = include_str!("init.sh");

/// Makes it for the one kernel of a root file system, with these modules.
pub(super) fn make(root: &Path, modules: &[String], scratch: &Path, into: &Path) -> Result<()> {
    let tree = scratch.join("initrd.d");
    fs::create_dir_all(tree.join("modules"))?;
    fs::copy(root.join("bin/busybox"), tree.join("busybox")).context("the image has no busybox-static")?;
    fs::write(tree.join("init"), INIT)?;
    fs::set_permissions(tree.join("init"), fs::Permissions::from_mode(0o755))?;
    let kernel = kernel_modules(root)?;
    let text = |name: &str| {
        fs::read_to_string(kernel.join(name)).with_context(|| format!("cannot read {name} of the kernel"))
    };
    let mut order = String::new();
    for file in load_order(&text("modules.dep")?, &text("modules.builtin")?, modules)? {
        let name = unpack(&kernel.join(&file), &tree.join("modules"))?;
        order.push_str(&name);
        order.push('\n');
    }
    fs::write(tree.join("modules/order"), order)?;
    pack(&tree, into)
}

fn kernel_modules(root: &Path) -> Result<PathBuf> {
    let dir = root.join("usr/lib/modules");
    let mut found = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        found.push(entry?.path());
    }
    ensure!(found.len() == 1, "an image has one kernel, this one has {}", found.len());
    Ok(found.remove(0))
}

/// Copies a module, unpacked: the kernel of the guest need not be able to.
fn unpack(file: &Path, into: &Path) -> Result<String> {
    let name = file.file_name().and_then(|name| name.to_str()).context("a module without a name")?;
    let Some(plain) = name.strip_suffix(".xz") else {
        fs::copy(file, into.join(name))?;
        return Ok(name.to_owned());
    };
    let target = File::create(into.join(plain))?;
    let status = Command::new("xz").arg("-dc").arg(file).stdout(target).status();
    let status = status.context("cannot run xz (package xz-utils)")?;
    ensure!(status.success(), "xz cannot unpack {}", file.display());
    Ok(plain.to_owned())
}

fn pack(tree: &Path, into: &Path) -> Result<()> {
    let script =
        "find . -print0 | sort -z | cpio --null --create --format=newc --quiet --reproducible | gzip -n9";
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(tree)
        .stdin(Stdio::null())
        .stdout(File::create(into)?)
        .status()
        .context("cannot run sh")?;
    if !status.success() {
        bail!("cannot pack the initial RAM disk (packages cpio and gzip)");
    }
    Ok(())
}
