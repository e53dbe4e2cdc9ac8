//! The disk that carries the binaries and the units: read-only, made anew when one of them changes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::node::unit::Policy;
use crate::roles;

/// The disk's serial in every machine.
pub const SERIAL: &str = "uc-payload";

/// Where the disk is mounted.
const MOUNTED: &str = "/opt/ultracloud";

/// What a machine boots inside of itself, on a machine.
pub const GUEST_KERNEL: &str = "/opt/ultracloud/guest/vmlinuz";
/// Its initial RAM disk.
pub const GUEST_INITRD: &str = "/opt/ultracloud/guest/initrd";

/// So many of the newest disks stay.
const KEPT: usize = 3;

/// Above what a fault may pause a service for.
const WATCHDOG: Duration = Duration::from_secs(60);

/// What goes in.
#[derive(Clone, Debug)]
pub struct Payload {
    /// `ultracloud`, `lab`, `uc`: by the names they have on a machine.
    pub programs: Vec<(String, PathBuf)>,
    /// What a machine boots inside of itself: kernel and initial RAM disk, as [`GUEST_KERNEL`] and
    /// [`GUEST_INITRD`].
    pub guest: Option<(PathBuf, PathBuf)>,
    /// The repository's `images/units`.
    pub units: PathBuf,
    /// What the units' times are multiplied by.
    pub time_scale: f64,
}

impl Payload {
    /// Makes the disk below `root` if there is none of just this; answers its file and its hash.
    pub fn make(&self, root: &Path) -> Result<(PathBuf, String)> {
        let units = self.render()?;
        let digest = self.digest(&units)?;
        let file = root.join(format!("payload-{digest}.erofs"));
        if !file.exists() {
            fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
            let scratch = tempfile::Builder::new().prefix(".payload-").tempdir_in(root)?;
            let draft = scratch.path().join("disk");
            self.pack(&units, &scratch.path().join("tree"), &draft)?;
            fs::rename(&draft, &file).context("cannot put the disk in its place")?;
            prune(root, &file)?;
        }
        Ok((file, digest))
    }

    /// Every file beside the programs, by its path on the disk.
    fn render(&self) -> Result<Vec<(String, String)>> {
        let read = |name: &str| {
            let path = self.units.join(name);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let role_template = read("role.service")?;
        let mut files = vec![("lib/systemd/system/lab-agent.service".to_owned(), read("lab-agent.service")?)];
        let mut users = String::new();
        for role in roles::ALL {
            let path = format!("lib/systemd/system/{role}.service");
            files.push((path, role_unit(&role_template, role, Policy::default(), self.time_scale)));
            users.push_str(&format!("u uc-{role} - \"UltraCloud {role}\"\n"));
        }
        files.push(("lib/sysusers.d/ultracloud.conf".to_owned(), users));
        Ok(files)
    }

    fn digest(&self, units: &[(String, String)]) -> Result<String> {
        let mut hash = Sha256::new();
        let guest = self.guest.iter().flat_map(|(kernel, initrd)| [kernel, initrd]).map(|path| ("", path));
        for (name, path) in self.programs.iter().map(|(name, path)| (name.as_str(), path)).chain(guest) {
            hash.update(name);
            let mut file = fs::File::open(path)
                .with_context(|| format!("{} is missing: run ./cluster build", path.display()))?;
            std::io::copy(&mut file, &mut hash)?;
        }
        for (path, text) in units {
            hash.update(format!("{path}\0{text}\0"));
        }
        Ok(hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn pack(&self, units: &[(String, String)], tree: &Path, into: &Path) -> Result<()> {
        fs::create_dir_all(tree.join("bin"))?;
        for (name, path) in &self.programs {
            let mut strip = Command::new("objcopy");
            strip.arg("--strip-debug").arg(path).arg(tree.join("bin").join(name));
            run(&mut strip, "binutils")?;
        }
        if let Some((kernel, initrd)) = &self.guest {
            for (from, to) in [(kernel, GUEST_KERNEL), (initrd, GUEST_INITRD)] {
                let to = tree.join(Path::new(to).strip_prefix(MOUNTED)?);
                fs::create_dir_all(to.parent().context("a file without a place")?)?;
                fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
            }
        }
        for (path, text) in units {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().context("a file without a place")?)?;
            fs::write(path, text)?;
        }
        let wanted = tree.join("lib/systemd/system/sysinit.target.wants");
        fs::create_dir_all(&wanted)?;
        symlink("../lab-agent.service", wanted.join("lab-agent.service"))?;
        run(
            Command::new("mkfs.erofs").args(["--quiet", "-T0", "--all-root"]).arg(into).arg(tree),
            "erofs-utils",
        )
    }
}

/// Fills the template for a role.
fn role_unit(template: &str, role: &str, policy: Policy, scale: f64) -> String {
    let time = |time: Duration| format!("{}ms", time.mul_f64(scale).as_millis());
    let values = [
        ("@ROLE@", role.to_owned()),
        // As often in a row as ever; only the waiting is longer.
        ("@RESTART@", time(policy.restart)),
        ("@LIMIT_INTERVAL@", time(policy.limit_interval)),
        ("@LIMIT_BURST@", policy.limit_burst.to_string()),
        ("@START@", time(policy.start)),
        ("@STOP@", time(policy.stop)),
        ("@WATCHDOG@", time(WATCHDOG)),
    ];
    values.iter().fold(template.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn run(command: &mut Command, package: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {program} (package {package})"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} ended with {}: {}", output.status, said.trim());
    Ok(())
}

/// Removes the oldest disks; a machine that runs from one keeps it until it ends.
fn prune(root: &Path, newest: &Path) -> Result<()> {
    let mut disks = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("payload-") && entry.path() != newest {
            disks.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    disks.sort();
    let superfluous = (disks.len() + 1).saturating_sub(KEPT);
    for (_, path) in disks.into_iter().take(superfluous) {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../images/units")
    }

    #[test]
    fn a_role_s_unit_is_filled_in() {
        let payload = Payload { programs: Vec::new(), guest: None, units: units(), time_scale: 10.0 };
        let files = payload.render().unwrap();
        let (_, text) = files.iter().find(|(path, _)| path.ends_with("/chainfire.service")).unwrap();
        assert!(!text.contains('@') || text.matches('@').count() == text.matches("=@").count(), "{text}");
        for line in
            ["User=uc-chainfire", "TimeoutStartSec=600000ms", "WatchdogSec=600000ms", "NoNewPrivileges=yes"]
        {
            assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
        }
    }

    #[test]
    fn another_unit_is_another_disk_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let payload = |time_scale| Payload { programs: Vec::new(), guest: None, units: units(), time_scale };
        let first = payload(1.0).digest(&payload(1.0).render().unwrap()).unwrap();
        assert_ne!(first, payload(2.0).digest(&payload(2.0).render().unwrap()).unwrap());
        let newest = root.path().join("payload-9.erofs");
        for number in [1, 2, 3, 4, 9] {
            fs::write(root.path().join(format!("payload-{number}.erofs")), "").unwrap();
        }
        prune(root.path(), &newest).unwrap();
        assert!(newest.exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), KEPT);
    }
}
