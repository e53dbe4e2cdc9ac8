//! A disk that can fill up: a service's data on a small file system of its own.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::reaper::Reaper;

/// Fills what must be filled; named so that a person who finds it knows.
const BALLAST: &str = "lab-ballast";

/// Moves `data_dir` to an ext4 image of that size, mounted over it; to a tmpfs where the host cannot
/// mount images. Says which.
pub(super) async fn replace(reaper: &Reaper, data_dir: &Path, mib: u32) -> Result<String> {
    if is_mount_point(data_dir)? {
        bail!("{} is a file system of its own already", data_dir.display());
    }
    fs::create_dir_all(data_dir)?;
    let image = data_dir.with_extension("ext4");
    let staging = Path::new("/run/ultracloud/small-disk");
    fs::create_dir_all(staging)?;
    let note = match mount_image(reaper, &image, staging, mib).await {
        Ok(()) => format!("ext4 image of {mib} MiB"),
        Err(e) => {
            let _ = fs::remove_file(&image);
            let size = format!("size={mib}m");
            run(reaper, "mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path(staging)]).await?;
            format!("tmpfs of {mib} MiB, because no image could be mounted: {e:#}")
        }
    };
    let from = format!("{}/.", data_dir.display());
    run(reaper, "cp", &["-a", &from, path(staging)]).await?;
    // Not moved: below a shared mount, which systemd makes of the root, the kernel would refuse.
    run(reaper, "mount", &["--bind", path(staging), path(data_dir)]).await?;
    run(reaper, "umount", &[path(staging)]).await?;
    Ok(note)
}

async fn mount_image(reaper: &Reaper, image: &Path, target: &Path, mib: u32) -> Result<()> {
    let file = fs::File::create(image).with_context(|| format!("cannot make {}", image.display()))?;
    file.set_len(u64::from(mib) << 20)?;
    run(reaper, "mke2fs", &["-q", "-F", "-t", "ext4", "-m", "0", path(image)]).await?;
    run(reaper, "mount", &["-o", "loop", path(image), path(target)]).await
}

/// Fills the file system of a directory up to a rest of `leave` bytes, or frees it again.
pub(super) fn ballast(data_dir: &Path, leave: Option<u64>) -> Result<String> {
    if !is_mount_point(data_dir)? {
        bail!("{} is not a file system of its own: ask for a small disk first", data_dir.display());
    }
    let path = data_dir.join(BALLAST);
    let Some(leave) = leave else {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        return Ok("removed the ballast".to_owned());
    };
    let free = free_bytes(data_dir)?;
    let mut file = fs::File::create(&path)?;
    let mut wanted = free.saturating_sub(leave);
    let block = vec![0xb5; 1 << 20];
    while wanted > 0 {
        let size = usize::try_from(wanted.min(block.len() as u64)).unwrap_or(block.len());
        match file.write_all(&block[..size]) {
            Ok(()) => wanted -= size as u64,
            Err(e) if e.kind() == io::ErrorKind::StorageFull => break,
            Err(e) => return Err(e.into()),
        }
    }
    match file.sync_all() {
        Err(e) if e.kind() != io::ErrorKind::StorageFull => Err(e.into()),
        _ => Ok(format!("{} bytes are left of {free}", free_bytes(data_dir)?)),
    }
}

fn free_bytes(dir: &Path) -> Result<u64> {
    let stat = nix::sys::statvfs::statvfs(dir)?;
    Ok(stat.blocks_available() * stat.fragment_size())
}

fn is_mount_point(dir: &Path) -> io::Result<bool> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    Ok(mounts.lines().filter_map(|l| l.split(' ').nth(1)).any(|target| Path::new(target) == dir))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

async fn run(reaper: &Reaper, program: &str, args: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
    let (_, end) = reaper.spawn(&mut command).with_context(|| format!("cannot run {program}"))?;
    let exit = end.await.with_context(|| format!("{program} was lost"))?;
    if !exit.is_clean() {
        bail!("{program} {} ended with {exit}; its words are on the console", args.join(" "));
    }
    Ok(())
}
