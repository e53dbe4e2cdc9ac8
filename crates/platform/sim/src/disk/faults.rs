//! What can be made to go wrong.

use std::collections::BTreeMap;
use std::io;

/// The kinds of calls that a test can count and break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opening a file that is there.
    Open,
    /// Creating a file.
    Create,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Setting a length.
    SetSize,
    /// Syncing a file.
    Sync,
    /// Listing a directory.
    List,
    /// Renaming.
    Rename,
    /// Removing.
    Remove,
    /// Syncing a directory.
    SyncDir,
}

impl Call {
    /// Whether it changes anything on the disk.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::List)
    }
}

/// How a call goes.
#[derive(Debug)]
pub(super) enum Verdict {
    /// As it should.
    Go,
    /// It fails and does nothing, except that a sync may have done some of its work.
    Fail(io::Error),
    /// The power goes while it runs: it may or may not have worked, and nobody learns which.
    Cut(io::Error),
}

/// The faults that are set, and the calls that were made.
#[derive(Debug, Default)]
pub(super) struct Faults {
    calls: BTreeMap<Call, u64>,
    /// Calls of a kind until one fails; 1 is the next.
    nth: BTreeMap<Call, u64>,
    /// Changing calls until the power goes; 1 is the next.
    fuse: Option<u64>,
    dead: bool,
    pub(super) lying: bool,
    pub(super) capacity: Option<u64>,
}

impl Faults {
    pub(super) fn fail_nth(&mut self, call: Call, n: u64) {
        self.nth.insert(call, n.max(1));
    }

    pub(super) fn cut_power_at(&mut self, n: u64) {
        self.fuse = Some(n.max(1));
    }

    pub(super) fn calls(&self, call: Call) -> u64 {
        self.calls.get(&call).copied().unwrap_or(0)
    }

    pub(super) fn changes(&self) -> u64 {
        self.calls.iter().filter(|(call, _)| call.is_change()).map(|(_, n)| n).sum()
    }

    /// The machine is up again: calls go through, what was set is forgotten, except how large the disk is.
    pub(super) fn power_up(&mut self) {
        *self = Self { calls: std::mem::take(&mut self.calls), capacity: self.capacity, ..Self::default() };
    }

    /// Whether there is power.
    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead { Err(power_cut()) } else { Ok(()) }
    }

    pub(super) fn enter(&mut self, call: Call) -> Verdict {
        if self.dead {
            return Verdict::Fail(power_cut());
        }
        *self.calls.entry(call).or_default() += 1;
        if let Some(left) = self.fuse.as_mut().filter(|_| call.is_change()) {
            *left -= 1;
            if *left == 0 {
                self.dead = true;
                return Verdict::Cut(power_cut());
            }
        }
        let Some(left) = self.nth.get_mut(&call) else { return Verdict::Go };
        *left -= 1;
        if *left > 0 {
            return Verdict::Go;
        }
        self.nth.remove(&call);
        Verdict::Fail(eio())
    }
}

pub(super) fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

pub(super) fn enospc() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

fn power_cut() -> io::Error {
    io::Error::other("the power is cut")
}
