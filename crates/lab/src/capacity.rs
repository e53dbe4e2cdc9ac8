//! Whether this host can carry the machines of a cluster: asked before the first of them starts, because a host
//! that runs out of memory or disk under six machines fails in ways that look like anything else.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::accel::Accel;
use crate::node::vm::machine::{TRANSLATED_MIB, size_of};
use crate::topology::Topology;

/// What QEMU takes beside the guest's memory, MiB.
const QEMU_MIB: u64 = 80;

/// What a machine's disks may grow by during a lane, MiB.
const DISK_MIB: u64 = 512;

/// What making the images takes on disk, MiB: two root file systems, their packages, and the result.
const IMAGES_MIB: u64 = 3 << 10;

/// So many of the machines' processors may share one of the host's.
const SHARED_TCG: u64 = 8;
/// As above, with KVM.
const SHARED_KVM: u64 = 16;

/// Memory and disk in MiB, and processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Memory.
    pub ram_mib: u64,
    /// Disk.
    pub disk_mib: u64,
    /// Processors.
    pub cpus: u64,
}

/// What the machines of a topology take.
pub fn needed(topology: &Topology, accel: Accel) -> Amount {
    let (extra, shared) = match accel {
        Accel::Tcg => (QEMU_MIB + u64::from(TRANSLATED_MIB), SHARED_TCG),
        Accel::Kvm => (QEMU_MIB, SHARED_KVM),
    };
    let mut all = Amount::default();
    for node in &topology.nodes {
        let (ram_mib, cpus) = size_of(node.kind);
        all.ram_mib += u64::from(ram_mib) + extra;
        all.disk_mib += DISK_MIB;
        all.cpus += u64::from(cpus);
    }
    Amount { cpus: all.cpus.div_ceil(shared), ..all }
}

/// What making the images takes.
pub fn needed_by_images() -> Amount {
    Amount { disk_mib: IMAGES_MIB, ..Amount::default() }
}

impl Amount {
    /// What this host has to give: memory that is free or can be made free, within its cgroup; and the disk that
    /// `dir` is or will be on.
    pub fn of_host(dir: &Path) -> Result<Self> {
        let meminfo = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
        let available =
            meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.split_whitespace().next());
        let available: u64 = available.context("/proc/meminfo has no MemAvailable")?.parse()?;
        let existing = dir.ancestors().find(|dir| dir.exists()).context("no such directory")?;
        let disk = nix::sys::statvfs::statvfs(existing)
            .with_context(|| format!("cannot ask the file system of {}", existing.display()))?;
        Ok(Self {
            ram_mib: (available >> 10).min(left_in_cgroup().unwrap_or(u64::MAX)),
            disk_mib: (disk.blocks_available() * disk.fragment_size()) >> 20,
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64,
        })
    }

    /// Refuses, with numbers, what does not fit. `dir` is only named.
    pub fn carries(self, need: Self, dir: &Path) -> Result<()> {
        let mut short = Vec::new();
        if need.ram_mib > self.ram_mib {
            short.push(format!("{} MiB of memory, and {} MiB are available", need.ram_mib, self.ram_mib));
        }
        if need.disk_mib > self.disk_mib {
            let dir = dir.display();
            short.push(format!("{} MiB of disk, and {} MiB are free at {dir}", need.disk_mib, self.disk_mib));
        }
        if need.cpus > self.cpus {
            short.push(format!("{} processors, and there are {}", need.cpus, self.cpus));
        }
        if short.is_empty() {
            return Ok(());
        }
        bail!(
            "this host is too small: it takes {} (--topology with fewer nodes takes less, ULTRACLOUD_WORK_ROOT \
             moves the disks, --nodes netns takes next to nothing)",
            short.join("; ")
        )
    }
}

/// What this process' cgroup (v2) lets it have yet.
fn left_in_cgroup() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let dir = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let read = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
    Some(read("memory.max")?.saturating_sub(read("memory.current")?) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Amount = Amount { ram_mib: 1 << 20, disk_mib: 1 << 20, cpus: 64 };

    #[test]
    fn six_machines_fit_on_a_laptop_and_not_on_a_toaster() {
        let need = needed(&Topology::six().unwrap(), Accel::Tcg);
        let dir = Path::new("/work");
        Amount { ram_mib: 8 << 10, disk_mib: 16 << 10, cpus: 2 }.carries(need, dir).unwrap();
        let toaster = Amount { ram_mib: 512, disk_mib: 1, cpus: 0 };
        let told = toaster.carries(need, dir).unwrap_err().to_string();
        for word in
            [&format!("{} MiB of memory, and 512", need.ram_mib), "1 MiB are free at /work", "there are 0"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
    }

    #[test]
    fn every_shortage_is_refused_by_itself() {
        let need = needed(&Topology::six().unwrap(), Accel::Kvm);
        let short = [
            Amount { ram_mib: need.ram_mib - 1, ..LARGE },
            Amount { disk_mib: need.disk_mib - 1, ..LARGE },
            Amount { cpus: need.cpus - 1, ..LARGE },
        ];
        for host in short {
            assert!(host.carries(need, Path::new("/")).is_err(), "{host:?}");
        }
        need.carries(need, Path::new("/")).unwrap();
    }

    #[test]
    fn this_host_has_something() {
        let here = Amount::of_host(Path::new("/no/such/directory/yet")).unwrap();
        assert!(here.ram_mib > 0 && here.cpus > 0, "{here:?}");
    }
}
