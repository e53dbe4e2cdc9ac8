//! A machine's hardware, as QEMU's arguments. Pure.

use std::path::PathBuf;

use crate::accel::Accel;
use crate::image::payload;
use crate::topology::NodeKind;

/// Hardware of one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The node's name.
    pub name: String,
    /// What carries it.
    pub accel: Accel,
    /// Memory, MiB.
    pub ram_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// Of its interface.
    pub mac: String,
    /// The kernel and its initial RAM disk.
    pub kernel: PathBuf,
    /// See `kernel`.
    pub initrd: PathBuf,
    /// The disk with the binaries, read-only.
    pub payload: PathBuf,
    /// Its system.
    pub root: Disk,
    /// Its services' data.
    pub data: Disk,
    /// Where it is talked to.
    pub sockets: Sockets,
    /// What the console says, for good.
    pub console_log: PathBuf,
}

/// A disk that is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What it is above, or begins as.
    pub base: PathBuf,
    /// Its own file.
    pub file: PathBuf,
}

/// Unix sockets and files of a running machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// QMP.
    pub monitor: PathBuf,
    /// The agent's serial channel.
    pub channel: PathBuf,
    /// The serial console.
    pub console: PathBuf,
    /// Its network interface; the supervisor listens.
    pub cable: PathBuf,
    /// Who it is; read at power-on.
    pub identity: PathBuf,
}

/// The node name of the data disk's uppermost layer in QEMU.
pub(super) const DATA_NODE: &str = "data-throttle";
/// The node below it.
pub(super) const DATA_FORMAT: &str = "data-format";
/// What limits it.
pub(super) const DATA_LIMITS: &str = "data-limits";

/// Room for translated code under TCG, MiB: that of a whole boot fits.
pub const TRANSLATED_MIB: u32 = 64;

/// Memory and processors that a kind of node gets.
pub fn size_of(kind: NodeKind) -> (u32, u32) {
    match kind {
        NodeKind::ControlPlane | NodeKind::Gateway => (384, 1),
        // Machines inside the machine.
        NodeKind::Worker => (1024, 1),
    }
}

/// The serial of a node's disk; udev makes `/dev/disk/by-id/virtio-<serial>` of it. virtio has room for 20 bytes.
pub fn serial(node: &str, disk: &str) -> String {
    format!("uc-{node}-{disk}")
}

impl Machine {
    /// What QEMU is called with.
    pub fn arguments(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.board());
        all.extend(self.boot());
        all.extend(self.disks());
        all.extend(self.lines());
        all
    }

    fn board(&self) -> Vec<String> {
        let (accel, cpu) = match self.accel {
            Accel::Kvm => ("kvm".to_owned(), "host"),
            // Five-level page tables only cost.
            Accel::Tcg => (format!("tcg,thread=multi,tb-size={TRANSLATED_MIB}"), "max,la57=off"),
        };
        words(&[
            "-name",
            &format!("{0},debug-threads=on", self.name),
            "-machine",
            "q35,sata=off,smbus=off,i8042=off,hpet=off,vmport=off,graphics=off",
            "-accel",
            &accel,
            "-cpu",
            cpu,
            "-m",
            &self.ram_mib.to_string(),
            "-smp",
            &self.cpus.to_string(),
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-rtc",
            "base=utc,clock=host",
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
            "-object",
            "rng-random,id=rng0,filename=/dev/urandom",
            "-device",
            "virtio-rng-pci,rng=rng0",
            // What the guest has freed is the host's again.
            "-device",
            "virtio-balloon-pci,free-page-reporting=on",
        ])
    }

    fn boot(&self) -> Vec<String> {
        let serial = |disk| serial(&self.name, disk);
        let command_line = format!(
            "console=ttyS0 quiet loglevel=4 panic=5 mitigations=off net.ifnames=0 random.trust_cpu=on \
             uc.root={} uc.payload={} systemd.hostname={}",
            serial("root"),
            payload::SERIAL,
            self.name
        );
        words(&[
            "-kernel",
            &self.kernel.to_string_lossy(),
            "-initrd",
            &self.initrd.to_string_lossy(),
            "-append",
            &command_line,
            "-smbios",
            &format!("type=11,path={}", escaped(&self.sockets.identity)),
        ])
    }

    fn disks(&self) -> Vec<String> {
        let file = |node: &str, path: &PathBuf| serde_json::json!({"driver": "file", "node-name": node, "filename": path, "discard": "unmap"});
        let qcow2 = |node: &str, file: serde_json::Value| serde_json::json!({"driver": "qcow2", "node-name": node, "file": file, "discard": "unmap"});
        let payload = serde_json::json!({
            "driver": "raw", "node-name": "payload", "read-only": true,
            "file": {"driver": "file", "filename": self.payload, "read-only": true},
        });
        let root = qcow2("root", file("root-file", &self.root.file));
        let data = serde_json::json!({
            "driver": "throttle", "node-name": DATA_NODE, "throttle-group": DATA_LIMITS,
            "file": qcow2(DATA_FORMAT, file("data-file", &self.data.file)),
        });
        let mut all = words(&["-object", &format!("throttle-group,id={DATA_LIMITS}")]);
        for blockdev in [payload, root, data] {
            all.extend(["-blockdev".to_owned(), blockdev.to_string()]);
        }
        for (node, serial) in [
            ("root", serial(&self.name, "root")),
            (DATA_NODE, serial(&self.name, "data")),
            ("payload", payload::SERIAL.to_owned()),
        ] {
            // The guest sees an error as an error: it is what is to be tested.
            let device = format!("virtio-blk-pci,drive={node},serial={serial},werror=report,rerror=report");
            all.extend(["-device".to_owned(), device]);
        }
        all
    }

    /// Cable, console, monitor, agent.
    fn lines(&self) -> Vec<String> {
        let Sockets { monitor, channel, console, cable, .. } = &self.sockets;
        let (monitor, channel, console) = (escaped(monitor), escaped(channel), escaped(console));
        let server = "server=on,wait=off";
        words(&[
            "-netdev",
            &format!("stream,id=net0,server=off,addr.type=unix,addr.path={}", escaped(cable)),
            "-device",
            &format!("virtio-net-pci,netdev=net0,mac={},romfile=", self.mac),
            "-chardev",
            &format!(
                "socket,id=console,path={console},{server},logfile={},logappend=on",
                escaped(&self.console_log)
            ),
            "-serial",
            "chardev:console",
            "-chardev",
            &format!("socket,id=qmp,path={monitor},{server}"),
            "-mon",
            "chardev=qmp,mode=control",
            "-device",
            "virtio-serial-pci",
            "-chardev",
            &format!("socket,id=agent,path={channel},{server}"),
            "-device",
            &format!("virtserialport,id={},chardev=agent,name={}", super::channel::PORT, super::CHANNEL),
        ])
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// In QEMU's lists a comma ends a value, and two of them are one in it.
fn escaped(path: &std::path::Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Topology;

    #[test]
    fn a_serial_fits_for_every_node_of_the_six() {
        for node in Topology::six().unwrap().nodes {
            for disk in ["root", "data"] {
                assert!(serial(&node.name, disk).len() <= 20);
            }
        }
    }

    #[test]
    fn a_comma_in_a_path_stays_in_the_path() {
        assert_eq!(escaped(std::path::Path::new("/a,b/c")), "/a,,b/c");
    }
}
