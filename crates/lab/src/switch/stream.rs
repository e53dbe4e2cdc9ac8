//! A machine's cable: a unix stream socket on which every frame is preceded by its length (`u32`,
//! big-endian), as QEMU's `-netdev stream` speaks it.
//!
//! Inside the switch a frame has a virtio-net header in front; an empty one says that nothing is left
//! to do. A stream cannot carry the header, so a frame that is not finished has no way through here
//! ([`super::port`] drops it). What comes in is believed as far as its length is possible: after a
//! length that is not, the stream is out of step for good, and an error ends it. What goes out goes
//! whole or not at all: a frame is lost when the peer does not keep up, never a part of one.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::{LARGEST_FRAME, tap};

/// The length before each frame.
const PREFIX: usize = size_of::<u32>();

/// What one read takes: many frames, and always more than one.
const INBOX: usize = 256 << 10;

/// What waits for a peer that does not read, in bytes.
const MAX_PENDING: usize = 1 << 20;

/// The switch's end of the socket.
#[derive(Debug)]
pub(super) struct Stream {
    socket: OwnedFd,
    inbox: Inbox,
    outbox: VecDeque<u8>,
    broken: bool,
}

impl Stream {
    /// Takes a connected socket and makes it non-blocking.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        Ok(Self { socket, inbox: Inbox::default(), outbox: VecDeque::new(), broken: false })
    }

    pub(super) fn socket(&self) -> &OwnedFd {
        &self.socket
    }

    /// Reads one frame and puts an empty virtio-net header before it; `None` when there is none.
    pub(super) fn receive(&mut self, framed: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            if let Some(size) = self.inbox.take(framed)? {
                return Ok(Some(size));
            }
            match rustix::io::read(&self.socket, self.inbox.spare()) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer hung up")),
                Ok(size) => self.inbox.end += size,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Whether [`Stream::receive`] has something to say without reading: epoll does not know of it.
    pub(super) fn holds_frame(&self) -> bool {
        self.inbox.holds_frame()
    }

    /// Writes one frame without its virtio-net header, now or when there is room; false when it is lost.
    pub(super) fn send(&mut self, framed: &[u8]) -> bool {
        let frame = &framed[tap::HEADER..];
        let Ok(length) = u32::try_from(frame.len()) else { return false };
        let prefix = length.to_be_bytes();
        if !self.outbox.is_empty() {
            let fits = self.outbox.len() + PREFIX + frame.len() <= MAX_PENDING;
            if fits {
                self.outbox.extend(&prefix);
                self.outbox.extend(frame);
            }
            return fits;
        }
        let written = self.write(&[IoSlice::new(&prefix), IoSlice::new(frame)]);
        self.outbox.extend(prefix.iter().skip(written));
        self.outbox.extend(&frame[written.saturating_sub(PREFIX)..]);
        !self.broken
    }

    /// Writes what waits, as far as there is room.
    pub(super) fn flush(&mut self) {
        while !self.outbox.is_empty() {
            let outbox = std::mem::take(&mut self.outbox);
            let (front, back) = outbox.as_slices();
            let written = self.write(&[IoSlice::new(front), IoSlice::new(back)]);
            self.outbox = outbox;
            self.outbox.drain(..written);
            if written == 0 {
                return;
            }
        }
    }

    /// Whether something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether a write found that the peer is gone.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// How much the socket took.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> usize {
        loop {
            let mut nothing = SendAncillaryBuffer::default();
            // Not `write`: a peer that is gone must be an error, whatever the process thinks of SIGPIPE.
            match rustix::net::sendmsg(&self.socket, parts, &mut nothing, SendFlags::NOSIGNAL) {
                Ok(size) => return size,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return 0,
                Err(_) => {
                    self.broken = true;
                    return 0;
                }
            }
        }
    }
}

/// What was read and not taken yet.
#[derive(Debug)]
struct Inbox {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { bytes: vec![0; INBOX].into(), start: 0, end: 0 }
    }
}

impl Inbox {
    /// The next frame's length, if it is here and possible.
    fn announced(&self) -> io::Result<Option<usize>> {
        let Some(prefix) = self.bytes[self.start..self.end].first_chunk::<PREFIX>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > LARGEST_FRAME - tap::HEADER {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it announced a frame of {length} bytes: it is out of step; plug it in again"),
            ));
        }
        Ok(Some(length))
    }

    fn holds_frame(&self) -> bool {
        match self.announced() {
            Ok(length) => length.is_some_and(|length| self.end - self.start >= PREFIX + length),
            Err(_) => true,
        }
    }

    /// Moves the next frame, if all of it is here, behind an empty virtio-net header.
    fn take(&mut self, framed: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(length) = self.announced()? else { return Ok(None) };
        let Some(frame) = self.bytes[self.start..self.end].get(PREFIX..PREFIX + length) else {
            return Ok(None);
        };
        framed[..tap::HEADER].fill(0);
        framed[tap::HEADER..tap::HEADER + length].copy_from_slice(frame);
        self.start += PREFIX + length;
        Ok(Some(tap::HEADER + length))
    }

    /// Room for a read. Only asked when no whole frame is here, so there is some.
    fn spare(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        &mut self.bytes[self.end..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However a stream is cut into reads, the same frames come out.
        #[test]
        fn the_cuts_of_a_stream_do_not_matter(
            lengths in prop::collection::vec(0usize..3000, 1..60),
            reads in prop::collection::vec(1usize..9000, 1..60),
        ) {
            let frames: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(n, length)| vec![n as u8; *length]).collect();
            let prefixed = |frame: &Vec<u8>| [&(frame.len() as u32).to_be_bytes()[..], frame].concat();
            let stream: Vec<u8> = frames.iter().flat_map(prefixed).collect();
            let (mut inbox, mut rest, mut got) = (Inbox::default(), &stream[..], Vec::new());
            let mut framed = vec![0xaa; LARGEST_FRAME];
            for read in reads.into_iter().cycle() {
                while let Some(size) = inbox.take(&mut framed).unwrap() {
                    prop_assert_eq!(&framed[..tap::HEADER], &[0; tap::HEADER]);
                    got.push(framed[tap::HEADER..size].to_vec());
                }
                prop_assert!(!inbox.holds_frame());
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at(read.min(rest.len()));
                inbox.spare()[..now.len()].copy_from_slice(now);
                inbox.end += now.len();
                rest = later;
            }
            prop_assert_eq!(got, frames);
        }
    }

    #[test]
    fn the_largest_frame_fits_and_a_larger_one_is_an_error() {
        let (mut inbox, mut framed) = (Inbox::default(), vec![0; LARGEST_FRAME]);
        let largest = LARGEST_FRAME - tap::HEADER;
        let feed = |inbox: &mut Inbox, length: usize| {
            let stream = [&(length as u32).to_be_bytes()[..], &vec![7; length]].concat();
            inbox.spare()[..stream.len()].copy_from_slice(&stream);
            inbox.end += stream.len();
        };
        feed(&mut inbox, largest);
        assert_eq!(inbox.take(&mut framed).unwrap(), Some(LARGEST_FRAME));
        feed(&mut inbox, largest + 1);
        assert!(inbox.holds_frame(), "somebody must look at it");
        assert_eq!(inbox.take(&mut framed).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
