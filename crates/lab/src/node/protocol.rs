//! What can be asked of a node. The same words for every body: on a netns node `lab node-init`
//! answers, on a machine `lab agent` behind its serial channel.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::unit::{Exit, Phase, Unit};
use crate::node::identity::Identity;

/// A request to a node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// Answers [`Reply::Status`].
    Status,
    /// Brings the interface up that the switch has plugged in.
    Network {
        /// The node's address.
        address: Ipv4Addr,
        /// Bits of the network.
        prefix: u8,
        /// The interface's MAC address, as `02:00:…`.
        mac: String,
    },
    /// Tells a machine that was asleep in a file on the host what has changed meanwhile.
    Awake {
        /// What has.
        awakening: Box<Awakening>,
    },
    /// Runs a command. Input frames go to it, output frames come back, then [`Reply::Exited`].
    Exec {
        /// Program and arguments, looked up on the node's PATH.
        argv: Vec<String>,
        /// Added to the node's plain environment.
        #[serde(default)]
        env: BTreeMap<String, String>,
    },
    /// Writes a file. Its content follows as input frames.
    Push {
        /// Absolute path on the node; parents are made.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// Tells the node of a service, replacing an earlier definition of one that is down.
    Define {
        /// The service.
        unit: Unit,
    },
    /// Starts a service, with an optional wrapper around it.
    Start {
        /// Which.
        service: String,
        /// How, for this start and its restarts.
        #[serde(default)]
        how: Launch,
    },
    /// Stops a service (SIGTERM, then SIGKILL); answers when it is down.
    Stop {
        /// Which.
        service: String,
    },
    /// Sends a signal to a service's main process, or kills all its processes with SIGKILL.
    Signal {
        /// Which.
        service: String,
        /// Signal number.
        signal: i32,
        /// Keep it down afterwards.
        hold: bool,
    },
    /// Puts a service's data on a small file system of its own; the service must be down.
    SmallDisk {
        /// Which.
        service: String,
        /// Its size.
        mib: u32,
    },
    /// Fills a service's data directory up to a rest, or removes what filled it.
    Ballast {
        /// Which.
        service: String,
        /// Bytes to leave free; `None` removes the ballast.
        leave: Option<u64>,
    },
    /// Damages a file.
    Damage {
        /// Absolute path.
        path: String,
        /// How.
        how: Damage,
    },
    /// Lists the files below a directory with their sizes.
    Files {
        /// Absolute path.
        dir: String,
    },
    /// Sends a file from an offset on as output frames, and what comes behind, until the asker goes.
    Follow {
        /// Absolute path; it need not exist yet.
        path: String,
        /// Bytes of it that are known already.
        offset: u64,
    },
    /// Stops the services and ends the node.
    PowerOff,
}

/// What a machine that was asleep cannot know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Awakening {
    /// Who it is today.
    pub identity: Identity,
    /// What time it is, milliseconds since the Unix epoch.
    pub unix_ms: i64,
    /// Drawn on the host: without it, every machine that wakes from one file would draw the same numbers.
    pub entropy: [u64; 4],
}

/// How a service is started, beside its definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Put before the unit's own argv.
    #[serde(default)]
    pub wrapper: Vec<String>,
    /// Added to the unit's own environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl Launch {
    /// Makes the `nth` sync of a file's data, and every later one, fail with EIO.
    pub fn failing_fsync(nth: u32) -> Self {
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={nth}+");
        let strace = [
            "strace",
            "-D",
            "-f",
            "--seccomp-bpf",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fdatasync,fsync",
            "-e",
        ];
        let wrapper = strace.into_iter().map(str::to_owned).chain([inject]).collect();
        Self { wrapper, env: BTreeMap::new() }
    }

    /// Shows a wall clock that is off by so many seconds; monotonic time is left alone.
    pub fn clock_offset(seconds: i64) -> Self {
        let env = [
            ("LD_PRELOAD", "libfaketimeMT.so.1".to_owned()),
            (
                "LD_LIBRARY_PATH",
                "/usr/lib/x86_64-linux-gnu/faketime:/usr/lib/aarch64-linux-gnu/faketime".to_owned(),
            ),
            ("FAKETIME", format!("{seconds:+}s")),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("FAKETIME_DONT_RESET", "1".to_owned()),
        ];
        Self { wrapper: Vec::new(), env: env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() }
    }
}

/// How to damage a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Damage {
    /// Flips one bit in the middle of what is written (up to the last byte that is not zero, because
    /// logs are preallocated). Done twice, it undoes itself.
    FlipMiddleBit {
        /// Bit of that byte, 0 to 7.
        bit: u8,
    },
    /// Overwrites the last bytes of what is written by garbage: a torn write.
    TearTail {
        /// How many bytes.
        bytes: u64,
        /// The garbage's seed.
        seed: u64,
    },
    /// Cuts the file.
    Truncate {
        /// To so many bytes.
        size: u64,
    },
}

/// A node's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Done {
        /// What is worth writing down about it.
        #[serde(default)]
        note: Option<String>,
    },
    /// How the node is.
    Status(Status),
    /// How a command ended.
    Exited(Exit),
    /// What is in a directory.
    Files {
        /// Sorted by path.
        files: Vec<FileEntry>,
    },
    /// Not done.
    Refused {
        /// Why, and what would help.
        why: String,
    },
}

/// A file on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Absolute path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since the Unix epoch of its last change.
    pub modified_ms: u64,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Fresh for every boot.
    pub boot_id: String,
    /// Its services by name.
    pub services: BTreeMap<String, ServiceStatus>,
}

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether a fault has paused it.
    pub paused: bool,
    /// Its main process as the node sees it.
    pub pid: Option<i32>,
    /// Processes started for it since the node booted.
    pub starts: u32,
    /// How its last process ended.
    pub last_exit: Option<Exit>,
    /// What it last said of itself (`STATUS=`).
    pub text: Option<String>,
    /// Its log, on the node.
    pub log: String,
}
