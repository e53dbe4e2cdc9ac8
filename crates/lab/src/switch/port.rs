//! One plugged node: its cable and what passed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use super::core::ETHERNET_HEADER;
use super::stream::Stream;
use super::{Cable, tap};

/// What a port has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Frames the node sent.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// What the node sent that is too short for a frame, and went nowhere.
    pub runts: u64,
    /// Frames the node got.
    pub got_frames: u64,
    /// Their bytes.
    pub got_bytes: u64,
    /// Frames to the node that a cut stopped.
    pub cut: u64,
    /// Frames to the node that a lossy link lost.
    pub lost: u64,
    /// Copies of frames to the node that a link made.
    pub duplicated: u64,
    /// Frames to the node in which a bit flipped.
    pub corrupted: u64,
    /// Frames to the node that were held back, for others to overtake.
    pub reordered: u64,
    /// Frames to the node that a slow link had no room for.
    pub overflowed: u64,
    /// Frames that the node's interface refused (it is down, or does not keep up).
    pub refused: u64,
    /// Frames to the node that left a checksum or a segmentation to it, which its cable cannot
    /// say, or a damaged one must not.
    pub unfinished: u64,
}

/// A plugged cable.
#[derive(Debug)]
pub(super) struct Port {
    name: String,
    wire: Wire,
    offloads: bool,
    /// Whether epoll was told to report room for writing.
    pub(super) watched_for_room: bool,
    pub(super) counters: Counters,
}

#[derive(Debug)]
enum Wire {
    Tap(OwnedFd),
    Stream(Stream),
}

impl Port {
    pub(super) fn new(name: &str, cable: Cable) -> io::Result<Self> {
        let wire = match cable {
            Cable::Tap(tap) => Wire::Tap(tap),
            Cable::Stream(socket) => Wire::Stream(Stream::new(socket)?),
        };
        let counters = Counters::default();
        Ok(Self { name: name.to_owned(), wire, offloads: true, watched_for_room: false, counters })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads one frame with its virtio-net header; `None` when there is none.
    pub(super) fn receive(&mut self, framed: &mut [u8]) -> io::Result<Option<usize>> {
        let received = match &mut self.wire {
            Wire::Tap(tap) => tap::receive(tap, framed)?,
            Wire::Stream(stream) => stream.receive(framed)?,
        };
        if let Some(size) = received.map(|size| size - tap::HEADER) {
            if size < ETHERNET_HEADER {
                self.counters.runts += 1;
            } else {
                self.counters.sent_frames += 1;
                self.counters.sent_bytes += size as u64;
            }
        }
        Ok(received)
    }

    /// Sends one frame with its virtio-net header. What the node does not take is lost, as on a wire;
    /// false then.
    pub(super) fn send(&mut self, framed: &[u8]) -> bool {
        let taken = match &mut self.wire {
            Wire::Tap(tap) => rustix::io::write(tap, framed).is_ok(),
            // It was under way when its sender's offloads were switched off. TCP sends it again.
            Wire::Stream(_) if !tap::is_finished(framed) => {
                self.counters.unfinished += 1;
                return false;
            }
            Wire::Stream(stream) => stream.send(framed),
        };
        if taken {
            self.counters.got_frames += 1;
            self.counters.got_bytes += (framed.len() - tap::HEADER) as u64;
        } else {
            self.counters.refused += 1;
        }
        taken
    }

    /// Sends what waited for room.
    pub(super) fn flush(&mut self) {
        if let Wire::Stream(stream) = &mut self.wire {
            stream.flush();
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(&self.wire, Wire::Stream(stream) if stream.is_waiting())
    }

    /// Whether a frame was read that epoll will not report any more.
    pub(super) fn holds_frame(&self) -> bool {
        matches!(&self.wire, Wire::Stream(stream) if stream.holds_frame())
    }

    /// Whether sending found that nobody is at the other end.
    pub(super) fn is_broken(&self) -> bool {
        matches!(&self.wire, Wire::Stream(stream) if stream.is_broken())
    }

    /// Whether its cable carries virtio-net headers.
    pub(super) fn carries_headers(&self) -> bool {
        matches!(self.wire, Wire::Tap(_))
    }

    /// Lets the node leave work to the receiver, or not. A machine has to do it all anyway.
    pub(super) fn set_offloads(&mut self, on: bool) {
        let Wire::Tap(tap) = &self.wire else { return };
        if self.offloads != on {
            match tap::set_offloads(tap, on) {
                Ok(()) => self.offloads = on,
                Err(e) => tracing::warn!("cannot switch offloads of {}: {e}", self.name),
            }
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.wire {
            Wire::Tap(tap) => tap.as_fd(),
            Wire::Stream(stream) => stream.socket().as_fd(),
        }
    }
}
