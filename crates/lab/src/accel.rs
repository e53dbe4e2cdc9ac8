//! Whether machines run with KVM, found out by booting one.
//!
//! That `/dev/kvm` opens proves nothing: on some hosts every stock kernel hangs under it. So a guest without a disk
//! is booted, and has [`PATIENCE`] to say that it got to user space. The verdict is kept for as long as kernel,
//! QEMU and processor are the same. Everything else runs under TCG, [`Verdict::time_scale`] times slower.

use std::fs;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kit::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::image::Images;

/// How long the guest may take: it needs two seconds where KVM works.
const PATIENCE: Duration = Duration::from_secs(20);
/// QEMU's program.
pub const QEMU: &str = "qemu-system-x86_64";
/// How much slower a machine is without KVM, at least.
const TCG_SCALE: f64 = 10.0;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Wanted {
    /// KVM where it works, else TCG.
    #[default]
    Auto,
    /// KVM, or nothing.
    Kvm,
    /// Every instruction translated: works everywhere.
    Tcg,
}

/// What carries the guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl std::fmt::Display for Accel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// The decision, and its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What carries the guests.
    pub accel: Accel,
    /// Why.
    pub why: String,
    /// What times that were set for KVM are multiplied by.
    pub time_scale: f64,
}

impl Verdict {
    fn new(accel: Accel, why: impl Into<String>) -> Self {
        let time_scale = match accel {
            Accel::Kvm => 1.0,
            Accel::Tcg => TCG_SCALE,
        };
        Self { accel, why: why.into(), time_scale }
    }
}

/// A verdict and what it holds for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    host: Host,
    verdict: Verdict,
}

/// What a verdict depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Host {
    kernel: String,
    processor: String,
    qemu: String,
    images: String,
}

/// Decides, by booting a guest if need be; `cache` keeps the verdict.
pub async fn decide(wanted: Wanted, images: &Images, cache: &Path) -> Result<Verdict> {
    if wanted == Wanted::Tcg {
        return Ok(Verdict::new(Accel::Tcg, "asked for"));
    }
    let host = Host::of(images)?;
    let verdict = match kept(cache).filter(|kept| kept.host == host) {
        Some(kept) => kept.verdict,
        None => {
            let verdict = probe(images).await?;
            let text = serde_json::to_vec_pretty(&Kept { host, verdict: verdict.clone() })?;
            fs::write(cache, text).with_context(|| format!("cannot write {}", cache.display()))?;
            verdict
        }
    };
    if wanted == Wanted::Kvm && verdict.accel != Accel::Kvm {
        bail!("KVM was asked for and does not work here: {} (--accel tcg works everywhere)", verdict.why);
    }
    Ok(verdict)
}

fn kept(cache: &Path) -> Option<Kept> {
    serde_json::from_slice(&fs::read(cache).ok()?).ok()
}

impl Host {
    fn of(images: &Images) -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
        let processor = read("/proc/cpuinfo")?;
        let processor = processor.lines().find(|line| line.starts_with("model name")).unwrap_or_default();
        Ok(Self {
            kernel: read("/proc/version")?.trim().to_owned(),
            processor: processor.to_owned(),
            qemu: qemu_version()?,
            images: images.digest.clone(),
        })
    }
}

/// QEMU's version, in its words.
pub fn qemu_version() -> Result<String> {
    let output = StdCommand::new(QEMU).arg("--version").output();
    let output = output.with_context(|| format!("cannot run {QEMU} (package qemu-system-x86)"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

async fn probe(images: &Images) -> Result<Verdict> {
    let device = Path::new("/dev/kvm");
    if let Err(e) = fs::File::options().read(true).write(true).open(device) {
        return Ok(Verdict::new(Accel::Tcg, format!("/dev/kvm cannot be opened: {e}")));
    }
    Ok(match boots(&Guest::under_kvm(&images.kernel(), &images.initrd(), false)).await? {
        Ok(()) => Verdict::new(Accel::Kvm, "a guest booted under KVM"),
        Err(why) => Verdict::new(Accel::Tcg, format!("a guest does not boot under KVM: {why}")),
    })
}

/// A machine without a disk that says a word and ends.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The word.
    pub token: String,
    /// QEMU's arguments.
    pub arguments: Vec<String>,
}

impl Guest {
    /// A guest under KVM, of this kernel and initial RAM disk. One that is `quiet` does not show where it hangs, and
    /// boots in half the time inside of another.
    pub fn under_kvm(kernel: &Path, initrd: &Path, quiet: bool) -> Self {
        let token = format!("{:016x}", Context::real().entropy().id());
        let words = ["-accel", "kvm", "-cpu", "host", "-m", "128", "-nodefaults", "-display", "none"];
        let rest = ["-no-reboot", "-serial", "stdio", "-kernel"];
        let mut arguments: Vec<String> = words.iter().chain(&rest).map(|&word| word.to_owned()).collect();
        arguments.push(kernel.display().to_string());
        arguments.extend(["-initrd".to_owned(), initrd.display().to_string()]);
        arguments.extend([
            "-append".to_owned(),
            format!("console=ttyS0 panic=-1{} uc.probe={token}", if quiet { " quiet" } else { "" }),
        ]);
        Self { token, arguments }
    }

    /// Whether a line of its console is its word.
    pub fn has_said_it(&self, line: &str) -> bool {
        line.contains(&self.token) && line.contains("ULTRACLOUD_MARKER")
    }
}

/// Whether it gets to user space; the inner error says what happened instead.
async fn boots(guest: &Guest) -> Result<std::result::Result<(), String>> {
    let mut child = Command::new(QEMU)
        .args(&guest.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {QEMU}"))?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let mut last = "it said nothing".to_owned();
    let heard = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if guest.has_said_it(&line) {
                return true;
            }
            if !line.trim().is_empty() {
                last = line.trim().to_owned();
            }
        }
        false
    };
    let outcome = tokio::time::timeout(PATIENCE, heard).await;
    let _ = child.start_kill();
    let ended = child.wait_with_output().await?;
    Ok(match outcome {
        Ok(true) => Ok(()),
        Ok(false) => {
            let said = String::from_utf8_lossy(&ended.stderr);
            let said = said.lines().last().unwrap_or(&last).to_owned();
            Err(format!("QEMU ended ({}): {said}", ended.status))
        }
        Err(_) => Err(format!("nothing came of it in {PATIENCE:?}; the last it said: {last}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_kvm_everything_has_more_time() {
        assert!(Verdict::new(Accel::Tcg, "").time_scale > Verdict::new(Accel::Kvm, "").time_scale);
    }

    #[test]
    fn a_verdict_that_cannot_be_read_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = dir.path().join("accel.json");
        assert_eq!(kept(&cache), None);
        fs::write(&cache, "{").unwrap();
        assert_eq!(kept(&cache), None);
    }
}
