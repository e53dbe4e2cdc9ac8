//! Cooks a recipe.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::Instant;

use super::recipe::{Content, Layer, Recipe};
use super::{DATA, Images, initrd, mirror, seal};
use crate::tail;

/// Signs what Debian's mirrors hand out.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// What a directory of unfinished images is called, in front.
const SCRATCH: &str = ".build-";
/// Nobody reads these on a node.
const LEFT_OUT: &[&str] =
    &["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// Makes the images of a recipe below `root`, if they are not there. `told` hears what is done.
pub fn build(recipe: &Recipe, root: &Path, told: &mut dyn FnMut(&str)) -> Result<Images> {
    let images = Images::of(root, recipe);
    if images.exist() {
        return images.check().map(|()| images);
    }
    fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    // One at a time; whoever waited finds what the first has made. The kernel lets go of a killed one's lock.
    let lock = File::create(root.join("build.lock"))?;
    lock.lock().context("cannot wait for another build of images")?;
    if images.exist() {
        return Ok(images);
    }
    clear_leftovers(root)?;
    let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(root)?;
    let kitchen = Kitchen { recipe, scratch: scratch.path().to_owned(), log: root.join("build.log") };
    kitchen.cook(told).with_context(|| format!("the whole log is {}", kitchen.log.display()))?;
    fs::rename(kitchen.done(), &images.dir).context("cannot put the images in their place")?;
    Ok(images)
}

/// What a killed build has left.
fn clear_leftovers(root: &Path) -> Result<()> {
    for left in files_like(root, SCRATCH)? {
        fs::remove_dir_all(&left).with_context(|| format!("cannot remove {}", left.display()))?;
    }
    Ok(())
}

struct Kitchen<'a> {
    recipe: &'a Recipe,
    scratch: PathBuf,
    log: PathBuf,
}

impl Kitchen<'_> {
    fn done(&self) -> PathBuf {
        self.scratch.join("done")
    }

    fn cook(&self, told: &mut dyn FnMut(&str)) -> Result<()> {
        fs::write(&self.log, "")?;
        fs::create_dir(self.done())?;
        let tree = self.scratch.join("root");
        for (nth, layer) in self.recipe.plan.layers.iter().enumerate() {
            let begun = Instant::now();
            match nth {
                0 => self.first(layer, &tree)?,
                _ => self.further(layer, &tree)?,
            }
            let packages = begun.elapsed();
            self.disk(&tree, &layer.name)?;
            let (packages, whole) = (packages.as_secs(), begun.elapsed().as_secs());
            told(&format!("image {}: {whole} s, {packages} of them for packages", layer.name));
        }
        self.format(&[], DATA, self.recipe.plan.data_mib)?;
        seal(&self.done())
    }

    /// Debian itself, the overlay, the kernel and what it boots with.
    fn first(&self, layer: &Layer, tree: &Path) -> Result<()> {
        let mirrors = mirror::mirrors()?;
        let mut failed = None;
        for mirror in &mirrors {
            match self.bootstrap(layer, tree, mirror) {
                Ok(()) => {
                    failed = None;
                    break;
                }
                Err(e) => failed = Some(e),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        self.lay_over(tree).context("cannot lay the files over")?;
        let kernel = the_one(&tree.join("boot"), "vmlinuz-")?;
        fs::copy(&kernel, self.done().join("vmlinuz"))?;
        initrd::make(tree, &self.recipe.plan.modules, &self.scratch, &self.done().join("initrd"))
    }

    fn bootstrap(&self, layer: &Layer, tree: &Path, mirror: &str) -> Result<()> {
        if tree.exists() {
            fs::remove_dir_all(tree)?;
        }
        let suite = &self.recipe.plan.suite;
        let mut command = Command::new("mmdebstrap");
        command.args(["--mode=root", "--variant=minbase", "--quiet"]);
        command.arg(format!("--include={}", layer.packages.join(",")));
        command.args(["--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\""]);
        command.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        command.arg(suite).arg(tree);
        command.arg(format!("deb [signed-by={KEYRING}] {mirror} {suite} main"));
        self.run(&mut command)
    }

    /// More packages in the tree of the layer before.
    fn further(&self, layer: &Layer, tree: &Path) -> Result<()> {
        let install = "apt-get -q update && apt-get -q install -y --no-install-recommends \"$@\" && apt-get clean && rm -rf /var/lib/apt/lists/*";
        let mut command = Command::new("chroot");
        command.arg(tree).args(["/usr/bin/env", "-i", "DEBIAN_FRONTEND=noninteractive", "HOME=/root"]);
        command.arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin");
        command.args(["/bin/sh", "-ec", install, "sh"]).args(&layer.packages);
        // What the host resolves names by is the host's, and goes with it.
        let resolv = tree.join("etc/resolv.conf");
        let kept = fs::read_link(&resolv).ok();
        let _ = fs::remove_file(&resolv);
        fs::copy("/etc/resolv.conf", &resolv).context("this host has no /etc/resolv.conf")?;
        let outcome = self.run(&mut command);
        fs::remove_file(&resolv)?;
        if let Some(target) = kept {
            symlink(target, &resolv)?;
        }
        outcome
    }

    fn lay_over(&self, tree: &Path) -> Result<()> {
        for file in &self.recipe.files {
            let path = tree.join(&file.path);
            fs::create_dir_all(path.parent().context("a file without a place")?)?;
            match &file.content {
                Content::File { mode, bytes } => {
                    fs::write(&path, bytes)?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
                }
                Content::Link(target) => symlink(target, &path)?,
            }
        }
        self.choose_units(tree).context("cannot choose what starts")?;
        // Each machine makes its own; and its name is told to it.
        fs::write(tree.join("etc/machine-id"), "")?;
        for name in ["etc/hostname", "etc/resolv.conf"] {
            let _ = fs::remove_file(tree.join(name));
        }
        for key in files_like(&tree.join("etc/ssh"), "ssh_host_")? {
            fs::remove_file(key)?;
        }
        Ok(())
    }

    /// What starts with the machine beside Debian's own choice, and what of that does not.
    fn choose_units(&self, tree: &Path) -> Result<()> {
        let plan = &self.recipe.plan;
        for (verb, units) in [("enable", &plan.enabled), ("disable", &plan.disabled)] {
            let mut command = Command::new("chroot");
            command.arg(tree).args(["systemctl", verb]).args(units);
            if !units.is_empty() {
                self.run(&mut command)?;
            }
        }
        for unit in &plan.masked {
            let place = match unit.ends_with("-generator") {
                true => tree.join("etc/systemd/system-generators"),
                false => tree.join("etc/systemd/system"),
            };
            fs::create_dir_all(&place)?;
            let _ = fs::remove_file(place.join(unit));
            symlink("/dev/null", place.join(unit))?;
        }
        Ok(())
    }

    /// A disk image of the tree as it is now.
    fn disk(&self, tree: &Path, name: &str) -> Result<()> {
        self.format(&["-d", &tree.to_string_lossy()], name, self.recipe.plan.size_mib)
    }

    /// An ext4 file system as a qcow2 disk. Nothing is left for the guest's kernel to write by itself.
    fn format(&self, how: &[&str], name: &str, mib: u32) -> Result<()> {
        let raw = self.scratch.join(format!("{name}.ext4"));
        let mut format = Command::new("mke2fs");
        format.args(["-q", "-t", "ext4", "-m", "0", "-L", name]);
        format.args(["-E", "lazy_itable_init=0,lazy_journal_init=0"]);
        format.args(how).arg(&raw).arg(format!("{mib}M"));
        self.run(&mut format)?;
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-O", "qcow2"]).arg(&raw).arg(self.done().join(format!("{name}.qcow2")));
        self.run(&mut convert)?;
        fs::remove_file(raw)?;
        Ok(())
    }

    fn run(&self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        let log = File::options().append(true).create(true).open(&self.log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let status = command.status().with_context(|| format!("cannot run {program}"))?;
        if !status.success() {
            let words = tail::last_line(&self.log).unwrap_or_else(|| "it said nothing".to_owned());
            bail!("{program} failed ({status}): {words}");
        }
        Ok(())
    }
}

fn files_like(dir: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn the_one(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let mut found = files_like(dir, prefix)?;
    ensure!(found.len() == 1, "{} has {} files {prefix}*, not one", dir.display(), found.len());
    Ok(found.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_build_has_left_goes_and_images_stay() {
        let root = tempfile::tempdir().unwrap();
        for dir in [".build-a1/root", "5941c9e481966aa0"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        clear_leftovers(root.path()).unwrap();
        assert!(!root.path().join(".build-a1").exists() && root.path().join("5941c9e481966aa0").exists());
    }
}
