//! For clients that send a URL where HTTP/2 wants an authority (RFC 9113 §8.3.1). etcd's own before 3.5 do when they
//! speak plainly to one member (grpc-go takes the target's text for it), etcd never looks at it, and our HTTP/2
//! refuses such a request. Where a server takes etcd's place, the text is replaced before it gets there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::BoxStream;

/// RFC 9113 §4.1: length, type, flags, stream.
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;
/// Flags of a HEADERS frame whose block does not begin at once. No client of this kind sets them.
const PADDED_OR_PRIORITY: u8 = 0x28;
/// RFC 9113 §6.5.2: the largest frame there can be until we allow more, which we do not.
const LARGEST_FRAME: usize = 16 << 10;
/// RFC 7541, appendix A.
const AUTHORITY: usize = 1;
/// Shorter than what it replaces, so that our table of headers never forgets sooner than the client's.
const STAND_IN: &[u8] = b"etcd";
/// `http://` and `https://` in the code of RFC 7541, appendix B: as many whole bytes as are certain.
const CODED: [&[u8]; 2] = [&[0x9d, 0x29, 0xae, 0xe3, 0x0c], &[0x9d, 0x29, 0xad, 0x17, 0x18]];

/// A connection whose requests are mended on the way in, if the first one needs it.
pub(super) struct Mended {
    stream: BoxStream,
    /// Read, and not yet looked at.
    raw: Vec<u8>,
    /// Looked at, and not yet given.
    ready: Vec<u8>,
    given: usize,
    /// Bytes of the preface, or of a frame that is none of ours, to be let through.
    passing: usize,
    /// The first request was as it should be: nothing is looked at any more.
    off: bool,
    /// It was not.
    mending: bool,
}

impl Mended {
    /// `preface`: how many bytes come before the first frame.
    pub(super) fn new(stream: BoxStream, preface: usize) -> Self {
        Self {
            stream,
            raw: Vec::new(),
            ready: Vec::new(),
            given: 0,
            passing: preface,
            off: false,
            mending: false,
        }
    }

    /// Takes as much as can be told from `raw` to `ready`.
    fn digest(&mut self) {
        let mut at = 0;
        loop {
            let rest = &self.raw[at..];
            if self.off {
                self.ready.extend_from_slice(rest);
                at = self.raw.len();
                break;
            }
            if self.passing > 0 {
                let n = self.passing.min(rest.len());
                self.ready.extend_from_slice(&rest[..n]);
                self.passing -= n;
                at += n;
                if self.passing > 0 {
                    break;
                }
                continue;
            }
            let Some(head) = rest.first_chunk::<FRAME_HEAD>() else { break };
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let ours = head[3] == HEADERS && head[4] & PADDED_OR_PRIORITY == 0 && length <= LARGEST_FRAME;
            if !ours {
                self.passing = FRAME_HEAD + length;
                continue;
            }
            let Some(block) = rest.get(FRAME_HEAD..FRAME_HEAD + length) else { break };
            match mend(block) {
                None => {
                    // A connection is about one authority, so the first request tells.
                    self.off = !self.mending;
                    self.ready.extend_from_slice(&rest[..FRAME_HEAD + length]);
                }
                Some(mended) => {
                    self.mending = true;
                    let [_, high, middle, low] =
                        u32::try_from(mended.len()).unwrap_or_default().to_be_bytes();
                    self.ready.extend_from_slice(&[high, middle, low]);
                    self.ready.extend_from_slice(&head[3..]);
                    self.ready.extend_from_slice(&mended);
                }
            }
            at += FRAME_HEAD + length;
        }
        self.raw.drain(..at);
    }
}

/// A block of headers with a stand-in for an authority that is a URL; none if it is well, or beyond us.
fn mend(block: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    while let Some(first) = block.get(at).copied() {
        if first & 0x80 != 0 {
            integer(block, &mut at, 7)?;
            continue;
        }
        if first & 0xe0 == 0x20 {
            integer(block, &mut at, 5)?;
            continue;
        }
        let name = integer(block, &mut at, if first & 0x40 != 0 { 6 } else { 4 })?;
        if name == 0 {
            text(block, &mut at)?;
        }
        let value = at;
        let (coded, given) = text(block, &mut at)?;
        if name != AUTHORITY {
            continue;
        }
        let is_url = match coded {
            true => CODED.iter().any(|prefix| given.starts_with(prefix)),
            false => given.starts_with(b"http://") || given.starts_with(b"https://"),
        };
        if !is_url || given.len() < STAND_IN.len() {
            return None;
        }
        let length = u8::try_from(STAND_IN.len()).ok()?;
        return Some([&block[..value], &[length], STAND_IN, &block[at..]].concat());
    }
    None
}

/// RFC 7541 §5.1.
fn integer(block: &[u8], at: &mut usize, prefix: u32) -> Option<usize> {
    let mask = (1u8 << prefix) - 1;
    let mut value = usize::from(block.get(*at)? & mask);
    *at += 1;
    if value < usize::from(mask) {
        return Some(value);
    }
    for shift in (0..28).step_by(7) {
        let byte = *block.get(*at)?;
        *at += 1;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// RFC 7541 §5.2: whether it is in the code of appendix B, and the bytes.
fn text<'a>(block: &'a [u8], at: &mut usize) -> Option<(bool, &'a [u8])> {
    let coded = block.get(*at)? & 0x80 != 0;
    let length = integer(block, at, 7)?;
    let bytes = block.get(*at..at.checked_add(length)?)?;
    *at += length;
    Some((coded, bytes))
}

impl AsyncRead for Mended {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let rest = &this.ready[this.given..];
            if !rest.is_empty() {
                let n = rest.len().min(out.remaining());
                out.put_slice(&rest[..n]);
                this.given += n;
                return Poll::Ready(Ok(()));
            }
            this.ready.clear();
            this.given = 0;
            if this.off && this.raw.is_empty() {
                return Pin::new(&mut this.stream).poll_read(cx, out);
            }
            let mut chunk = [0; 4096];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                // What is left is the beginning of a frame that never came.
                return Poll::Ready(Ok(()));
            }
            this.raw.extend_from_slice(read.filled());
            this.digest();
        }
    }
}

impl AsyncWrite for Mended {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// `:method: POST`, `:scheme: http`, then an authority with incremental indexing, then a path by its index.
    fn block(coded: bool, authority: &[u8]) -> Vec<u8> {
        let length = u8::try_from(authority.len()).unwrap() | if coded { 0x80 } else { 0 };
        [&[0x83, 0x86, 0x41, length], authority, &[0x84]].concat()
    }

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let [.., high, middle, low] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[high, middle, low, kind, 4, 0, 0, 0, 1], payload].concat()
    }

    /// `http://127.0.0.1:2379` as Go's encoder writes it.
    const CODED_URL: &[u8] =
        &[0x9d, 0x29, 0xae, 0xe3, 0x0c, 0x04, 0x4e, 0xae, 0x05, 0xc0, 0xb8, 0x6e, 0x09, 0x97, 0x5f];
    /// `127.0.0.1:2379`.
    const CODED_ADDRESS: &[u8] = &[0x08, 0x9d, 0x5c, 0x0b, 0x81, 0x70, 0xdc, 0x13, 0x2e, 0xbf];

    #[test]
    fn an_authority_that_is_a_url_is_replaced_and_nothing_else() {
        let mended = block(false, STAND_IN);
        assert_eq!(mend(&block(false, b"http://127.0.0.1:2379")), Some(mended.clone()));
        assert_eq!(mend(&block(false, b"https://[::1]:2379")), Some(mended.clone()));
        assert_eq!(mend(&block(true, CODED_URL)), Some(mended));
        assert_eq!(mend(&block(false, b"127.0.0.1:2379")), None);
        assert_eq!(mend(&block(true, CODED_ADDRESS)), None);
        assert_eq!(mend(&[0x83, 0x86, 0xc0, 0x84]), None, "an authority that was sent before");
    }

    async fn through(sent: &[u8], cut: usize) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let mut mended = Mended::new(Box::new(server), 4);
        let mut got = Vec::new();
        for part in sent.chunks(cut) {
            client.write_all(part).await.unwrap();
        }
        drop(client);
        mended.read_to_end(&mut got).await.unwrap();
        got
    }

    #[tokio::test]
    async fn frames_are_mended_however_they_arrive() {
        let bad = frame(1, &block(true, CODED_URL));
        let data = frame(0, &[7; 300]);
        let sent = [b"PRI ", &frame(4, &[])[..], &bad, &data, &bad].concat();
        let good = frame(1, &block(false, STAND_IN));
        let wanted = [b"PRI ", &frame(4, &[])[..], &good, &data, &good].concat();
        for cut in [1, 7, 64, 5000] {
            assert_eq!(through(&sent, cut).await, wanted);
        }
    }

    #[tokio::test]
    async fn whoever_begins_well_is_left_alone() {
        let well = frame(1, &block(false, b"node01:2379"));
        let sent = [b"PRI ", &well[..], &frame(1, &block(true, CODED_URL))].concat();
        for cut in [1, 33, 5000] {
            assert_eq!(through(&sent, cut).await, sent);
        }
    }

    proptest! {
        #[test]
        fn bytes_that_are_no_headers_are_left_alone(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(mended) = mend(&bytes) {
                prop_assert!(mended.len() <= bytes.len());
            }
        }
    }
}
