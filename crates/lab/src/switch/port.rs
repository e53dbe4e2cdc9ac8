//! One plugged node: its tap and what passed.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::tap;

/// What a port has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Frames the node sent.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames the node got.
    pub got_frames: u64,
    /// Their bytes.
    pub got_bytes: u64,
    /// Frames to the node that a cut stopped.
    pub cut: u64,
    /// Frames to the node that a lossy link lost.
    pub lost: u64,
    /// Frames to the node that a slow link had no room for.
    pub overflowed: u64,
    /// Frames that the node's interface refused (it is down, or does not keep up).
    pub refused: u64,
}

/// A plugged tap.
#[derive(Debug)]
pub(super) struct Port {
    name: String,
    tap: OwnedFd,
    offloads: bool,
    counters: Counters,
}

impl Port {
    pub(super) fn new(name: &str, tap: OwnedFd) -> Self {
        Self { name: name.to_owned(), tap, offloads: true, counters: Counters::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn tap(&self) -> &OwnedFd {
        &self.tap
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// Reads one frame with its virtio-net header; `None` when there is none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match rustix::io::read(&self.tap, &mut *buffer) {
                Ok(size) if size < tap::HEADER => return Ok(None),
                Ok(size) => {
                    self.counters.sent_frames += 1;
                    self.counters.sent_bytes += (size - tap::HEADER) as u64;
                    return Ok(Some(size));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Writes one frame with its virtio-net header. What the node does not take is lost, as on a wire.
    pub(super) fn send(&mut self, framed: &[u8]) {
        match rustix::io::write(&self.tap, framed) {
            Ok(_) => {
                self.counters.got_frames += 1;
                self.counters.got_bytes += (framed.len() - tap::HEADER) as u64;
            }
            Err(_) => self.counters.refused += 1,
        }
    }

    pub(super) fn set_offloads(&mut self, on: bool) {
        if self.offloads != on {
            match tap::set_offloads(&self.tap, on) {
                Ok(()) => self.offloads = on,
                Err(e) => tracing::warn!("cannot switch offloads of {}: {e}", self.name),
            }
        }
    }

    pub(super) fn count_cut(&mut self) {
        self.counters.cut += 1;
    }

    pub(super) fn count_lost(&mut self) {
        self.counters.lost += 1;
    }

    pub(super) fn count_overflow(&mut self) {
        self.counters.overflowed += 1;
    }
}
