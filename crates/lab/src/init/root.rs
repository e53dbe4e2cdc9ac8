//! A root file system of the node's own: the host's programs, nobody's configuration, private state.
//!
//! `/usr` is the host's, read-only. `/etc`, `/run`, `/tmp`, `/root` and the rest of `/var` are a tmpfs
//! that ends with the node. `/etc/ultracloud`, `/var/lib/ultracloud` and `/var/log/ultracloud` are
//! directories of the cluster's state and survive a power cycle. Nothing is created on the host.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root, sethostname};

use super::BootSpec;

/// Where the node sees its cgroup.
const CGROUP: &str = "sys/fs/cgroup";

/// Links on a merged-usr Debian, directories elsewhere.
const USR_PARTS: &[&str] = &["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What programs look up at run time and no node needs another version of.
const ETC_COPIES: &[&str] =
    &["passwd", "group", "nsswitch.conf", "services", "protocols", "localtime", "bash.bashrc"];

/// As above, and read by the dynamic linker or TLS libraries as directories.
const ETC_BINDS: &[&str] = &["ld.so.cache", "ld.so.conf.d", "ssl", "alternatives", "terminfo"];

/// Enters the node's cgroup, so that whatever is started later can be found and ended by it.
/// Answers the path under which services will find it once the root is entered.
pub(super) fn join_cgroup(spec: &BootSpec) -> Result<Option<PathBuf>> {
    let Some(cgroup) = &spec.cgroup else { return Ok(None) };
    fs::write(cgroup.join("cgroup.procs"), "0")
        .with_context(|| format!("cannot enter the cgroup {}", cgroup.display()))?;
    Ok(Some(Path::new("/").join(CGROUP)))
}

/// Builds the root and moves into it.
pub(super) fn enter(spec: &BootSpec) -> Result<()> {
    let root = spec.dir.join("root");
    fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
    mount_fs("tmpfs", &root, "mode=0755,size=1g")?;
    directories(&root)?;
    programs(&root)?;
    kernel_views(&root, spec)?;
    configuration(&root, spec)?;
    state(&root, spec)?;
    sethostname(&spec.name).context("cannot set the host name")?;
    chdir(&root)?;
    pivot_root(".", ".").context("cannot change the root")?;
    umount2(".", MntFlags::MNT_DETACH).context("cannot leave the host's root")?;
    chdir("/")?;
    Ok(())
}

fn directories(root: &Path) -> Result<()> {
    for dir in [
        "proc",
        "sys",
        "dev",
        "etc",
        "run/ultracloud/notify",
        "tmp",
        "root",
        "usr",
        "var/lib",
        "var/log",
        "opt",
    ] {
        make_dir(&root.join(dir))?;
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    symlink("/run", root.join("var/run"))?;
    symlink("/tmp", root.join("var/tmp"))?;
    Ok(())
}

fn programs(root: &Path) -> Result<()> {
    bind_read_only(Path::new("/usr"), &root.join("usr"))?;
    for part in USR_PARTS {
        let (host, here) = (Path::new("/").join(part), root.join(part));
        match fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_symlink() => symlink(fs::read_link(&host)?, &here)?,
            Ok(_) => {
                make_dir(&here)?;
                bind_read_only(&host, &here)?;
            }
            Err(_) => {}
        }
    }
    Ok(())
}

fn kernel_views(root: &Path, spec: &BootSpec) -> Result<()> {
    mount_fs("proc", &root.join("proc"), "")?;
    mount_fs("sysfs", &root.join("sys"), "")?;
    let dev = root.join("dev");
    mount(Some("/dev"), &dev, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .context("cannot show /dev to the node")?;
    if let Some(cgroup) = &spec.cgroup {
        bind(cgroup, &root.join(CGROUP))?;
    }
    Ok(())
}

fn configuration(root: &Path, spec: &BootSpec) -> Result<()> {
    let etc = root.join("etc");
    for name in ETC_COPIES {
        let host = Path::new("/etc").join(name);
        if host.exists() {
            fs::copy(&host, etc.join(name)).with_context(|| format!("cannot copy {}", host.display()))?;
        }
    }
    for name in ETC_BINDS {
        let host = Path::new("/etc").join(name);
        if host.is_dir() {
            make_dir(&etc.join(name))?;
            bind_read_only(&host, &etc.join(name))?;
        } else if host.exists() {
            fs::copy(&host, etc.join(name))?;
        }
    }
    fs::write(etc.join("hostname"), format!("{}\n", spec.name))?;
    fs::write(etc.join("hosts"), hosts(spec))?;
    // No name server until the cloud brings its own.
    fs::write(etc.join("resolv.conf"), "options attempts:1 timeout:1\n")?;
    Ok(())
}

fn hosts(spec: &BootSpec) -> String {
    let nodes = spec.hosts.iter().map(|(name, address)| format!("{address} {name}\n"));
    std::iter::once("127.0.0.1 localhost\n::1 localhost\n".to_owned()).chain(nodes).collect()
}

fn state(root: &Path, spec: &BootSpec) -> Result<()> {
    for (kept, shown) in [
        (spec.dir.join("etc"), "etc/ultracloud"),
        (spec.dir.join("var"), "var/lib/ultracloud"),
        (spec.dir.join("log"), "var/log/ultracloud"),
    ] {
        make_dir(&kept)?;
        make_dir(&root.join(shown))?;
        bind(&kept, &root.join(shown))?;
    }
    make_dir(&root.join("opt/ultracloud/bin"))?;
    bind_read_only(&spec.bin, &root.join("opt/ultracloud/bin"))
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

fn mount_fs(kind: &str, target: &Path, options: &str) -> Result<()> {
    mount(Some(kind), target, Some(kind), MsFlags::MS_NOSUID, Some(options))
        .map_err(io::Error::from)
        .with_context(|| format!("cannot mount {kind} on {}", target.display()))
}

fn bind(host: &Path, target: &Path) -> Result<()> {
    mount(Some(host), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(io::Error::from)
        .with_context(|| format!("cannot bind {} to {}", host.display(), target.display()))
}

/// A bind mount becomes read-only only by a second call (mount(2), "Creating a bind mount").
fn bind_read_only(host: &Path, target: &Path) -> Result<()> {
    bind(host, target)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
        .map_err(io::Error::from)
        .with_context(|| format!("cannot make {} read-only", target.display()))
}
