//! The reading half: cuts messages out of bytes, and takes no more of these than somebody waits for.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use crate::base::SqlError;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, ReadHalf};

use crate::wire::host::BoxStream;
use crate::wire::message::violation;

/// Type and length.
const HEAD: usize = 5;
/// Room that is made for one read of an idle connection.
const SMALL_READ: usize = 8 << 10;
/// Room that is made while a long message comes; also the longest piece of COPY data.
const LARGE_READ: usize = 64 << 10;
/// So much may wait while a statement runs. Then nothing is read, and a client that leaves is noticed later.
const AHEAD: usize = 64 << 10;

/// The session pulls COPY data from it while the loop watches it. Locked for single polls only.
pub(crate) type SharedInput = Arc<Mutex<Input>>;

pub(crate) fn lock(input: &SharedInput) -> MutexGuard<'_, Input> {
    input.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One message, cut out.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Bytes,
}

/// What comes while data is copied in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CopyMessage {
    /// A part of the data, in no relation to messages or lines.
    Data(Bytes),
    Done,
    Failed(Bytes),
    /// A message that does not belong here. It is left where it is.
    Unexpected(u8),
}

/// Nothing more comes from here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The client has closed, or the network has.
    Gone,
    /// Where the next message begins is not known any more.
    Lost(SqlError),
}

impl From<SqlError> for Broken {
    fn from(error: SqlError) -> Self {
        Self::Lost(error)
    }
}

pub(crate) struct Input {
    reader: ReadHalf<BoxStream>,
    buffer: BytesMut,
    /// Of a message whose head is taken: so many bytes are still to come.
    left: usize,
    ended: bool,
    /// The session reads by itself: nobody else may.
    pub(crate) copying: bool,
}

impl Input {
    /// What kind of message comes next, if its first bytes have been read.
    pub(crate) fn next_tag(&self) -> Option<u8> {
        if self.left == 0 { self.head().map(|(tag, _)| tag) } else { None }
    }

    /// `buffer` is what has been read already.
    pub(crate) fn new(reader: ReadHalf<BoxStream>, buffer: BytesMut) -> Self {
        Self { reader, buffer, left: 0, ended: false, copying: false }
    }

    /// The next message. `limit`: how long its body may be, or why its type is none. Types that are not wanted
    /// are passed over, without being held.
    pub(crate) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        limit: impl Fn(u8) -> Result<usize, SqlError>,
        wanted: impl Fn(u8) -> bool,
    ) -> Poll<Result<Message, Broken>> {
        loop {
            ready!(self.poll_pass(cx))?;
            let Some((tag, length)) = self.head() else {
                ready!(self.poll_fill(cx, HEAD))?;
                continue;
            };
            let length = checked(tag, length, limit(tag)?)?;
            if !wanted(tag) {
                self.buffer.advance(HEAD);
                self.left = length;
            } else if let Some(body) = self.cut(length) {
                return Poll::Ready(Ok(Message { tag, body }));
            } else {
                ready!(self.poll_fill(cx, HEAD + length - self.buffer.len()))?;
            }
        }
    }

    /// The next piece of COPY data. Flush and Sync are passed over: drivers send them before they know.
    pub(crate) fn poll_copy(
        &mut self,
        cx: &mut Context<'_>,
        limit: impl Fn(u8) -> Result<usize, SqlError>,
    ) -> Poll<Result<CopyMessage, Broken>> {
        loop {
            if self.left > 0 {
                if self.buffer.is_empty() {
                    ready!(self.poll_fill(cx, self.left))?;
                }
                let piece = self.buffer.len().min(self.left).min(LARGE_READ);
                self.left -= piece;
                return Poll::Ready(Ok(CopyMessage::Data(self.buffer.split_to(piece).freeze())));
            }
            let Some((tag, length)) = self.head() else {
                ready!(self.poll_fill(cx, HEAD))?;
                continue;
            };
            if !matches!(tag, b'd' | b'c' | b'f' | b'H' | b'S') {
                return Poll::Ready(Ok(CopyMessage::Unexpected(tag)));
            }
            let length = checked(tag, length, limit(tag)?)?;
            if tag == b'd' {
                self.buffer.advance(HEAD);
                self.left = length;
            } else if let Some(body) = self.cut(length) {
                match tag {
                    b'c' => return Poll::Ready(Ok(CopyMessage::Done)),
                    b'f' => return Poll::Ready(Ok(CopyMessage::Failed(body))),
                    _ => {}
                }
            } else {
                ready!(self.poll_fill(cx, HEAD + length - self.buffer.len()))?;
            }
        }
    }

    /// The session has all data of a copy, or wants no more.
    pub(crate) fn end_copy(&mut self) {
        if std::mem::take(&mut self.copying) && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Whether the client has left. Reads ahead, within a limit, since there is no other way to know.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> bool {
        while !self.copying && !self.ended && self.buffer.len() < AHEAD {
            match self.poll_fill(cx, SMALL_READ) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return true,
                Poll::Pending => return false,
            }
        }
        self.ended
    }

    /// Passes over the rest of a message that nobody wants.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        while self.left > 0 {
            if self.buffer.is_empty() {
                ready!(self.poll_fill(cx, self.left))?;
            }
            let piece = self.buffer.len().min(self.left);
            self.buffer.advance(piece);
            self.left -= piece;
        }
        Poll::Ready(Ok(()))
    }

    /// Type and length of the next message, once they are there.
    fn head(&self) -> Option<(u8, u32)> {
        let (tag, rest) = self.buffer.split_first()?;
        rest.first_chunk().map(|length| (*tag, u32::from_be_bytes(*length)))
    }

    /// The body of the next message, once it is there.
    fn cut(&mut self, length: usize) -> Option<Bytes> {
        if self.buffer.len() < HEAD + length {
            return None;
        }
        self.buffer.advance(HEAD);
        let body = self.buffer.split_to(length).freeze();
        if length > SMALL_READ {
            // What is left moves out, or a long message would hold its memory for as long as the connection.
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
        Some(body)
    }

    /// One read. So much is missing; room is made for what is likely, never for what is only announced.
    fn poll_fill(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<Result<(), Broken>> {
        if self.ended {
            return Poll::Ready(Err(Broken::Gone));
        }
        let room = missing.clamp(SMALL_READ, LARGE_READ);
        if self.buffer.capacity() - self.buffer.len() < room.min(missing.max(SMALL_READ / 8)) {
            self.buffer.reserve(room);
        }
        match ready!(pin!(self.reader.read_buf(&mut self.buffer)).poll(cx)) {
            Ok(read) if read > 0 => Poll::Ready(Ok(())),
            _ => {
                self.ended = true;
                Poll::Ready(Err(Broken::Gone))
            }
        }
    }
}

/// The length of a body from the length that is announced, which counts itself.
fn checked(tag: u8, announced: u32, limit: usize) -> Result<usize, SqlError> {
    let length = usize::try_from(announced).ok().and_then(|length| length.checked_sub(4));
    length.filter(|length| *length <= limit).ok_or_else(|| {
        let name = char::from(tag);
        violation("invalid message length").with_detail(format!(
            "A message of type {name:?} announces {announced} bytes; from 4 to {} are taken.",
            limit.saturating_add(4)
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt as _, DuplexStream};

    use super::*;
    use crate::wire::message::{ends_connection, limit};

    const LONGEST: usize = 64 << 20;

    fn input(pipe: usize) -> (Input, DuplexStream) {
        let (near, far) = tokio::io::duplex(pipe);
        let stream: BoxStream = Box::new(near);
        let (reader, _) = tokio::io::split(stream);
        (Input::new(reader, BytesMut::new()), far)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    async fn next(input: &mut Input) -> Result<(u8, Vec<u8>), Broken> {
        let message =
            poll_fn(|cx| input.poll_message(cx, |tag| limit(tag, LONGEST), |tag| tag != b'd')).await;
        message.map(|message| (message.tag, message.body.to_vec()))
    }

    async fn next_copy(input: &mut Input) -> Result<CopyMessage, Broken> {
        poll_fn(|cx| input.poll_copy(cx, |tag| limit(tag, LONGEST))).await
    }

    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    /// All that comes of these bytes, written in pieces of this size.
    async fn all(bytes: &[u8], piece: usize) -> (Vec<(u8, Vec<u8>)>, Broken) {
        let (mut input, mut far) = input(1 << 20);
        let write = async {
            for piece in bytes.chunks(piece.max(1)) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(far);
        };
        let read = async {
            let mut messages = Vec::new();
            loop {
                match next(&mut input).await {
                    Ok(message) => messages.push(message),
                    Err(broken) => return (messages, broken),
                }
            }
        };
        tokio::join!(read, write).0
    }

    #[tokio::test]
    async fn a_half_message_waits_for_the_rest() {
        let bytes = [framed(b'Q', b"select 1\0"), framed(b'S', b""), framed(b'B', &[7; 300])].concat();
        let whole = vec![(b'Q', b"select 1\0".to_vec()), (b'S', vec![]), (b'B', vec![7; 300])];
        for piece in [1, 2, 3, 4, 5, 7, 100, 1000] {
            assert_eq!(all(&bytes, piece).await, (whole.clone(), Broken::Gone), "{piece}");
        }
        for cut in 0..bytes.len() {
            let (messages, broken) = all(&bytes[..cut], 1000).await;
            assert_eq!((&whole[..messages.len()], broken), (&messages[..], Broken::Gone), "{cut}");
            assert!(messages.len() < 3);
        }
    }

    #[tokio::test]
    async fn lengths_that_cannot_be_are_refused_before_anything_is_held() {
        for (bytes, message) in [
            (&b"Q\0\0\0\x03"[..], "invalid message length"),
            (b"Q\0\0\0\0", "invalid message length"),
            (b"Q\xff\xff\xff\xff", "invalid message length"),
            (b"Q\x3f\xff\xff\xff", "invalid message length"),
            (b"Q\x04\0\0\x05", "invalid message length"),
            (b"d\x3f\xff\xff\xff", "invalid message length"),
            (b"S\0\0\x27\x15", "invalid message length"),
            (b"y\0\0\0\x04", "invalid frontend message type 121"),
            (b"\0\0\0\0\x04", "invalid frontend message type 0"),
        ] {
            let (mut input, mut far) = input(64);
            far.write_all(bytes).await.unwrap();
            let Err(Broken::Lost(error)) = next(&mut input).await else { panic!("{bytes:?} was taken") };
            assert_eq!(error.message, message, "{bytes:?}");
            assert!(!ends_connection(error.state) && input.buffer.capacity() <= SMALL_READ);
        }
    }

    #[tokio::test]
    async fn memory_follows_what_has_come_and_not_what_is_announced() {
        let (mut input, mut far) = input(1 << 20);
        far.write_all(b"Q\x04\0\0\x04").await.unwrap();
        for sent in [0_usize, 100_000, 500_000] {
            far.write_all(&vec![1; sent]).await.unwrap();
            let early = futures::poll!(pin!(next(&mut input)));
            assert!(early.is_pending());
            let held = input.buffer.capacity();
            assert!(held <= 2 * (input.buffer.len() + LARGE_READ), "{held} for {sent}");
        }
    }

    #[tokio::test]
    async fn a_long_message_leaves_no_memory_behind() {
        let (mut input, mut far) = input(4 << 20);
        far.write_all(&framed(b'Q', &[1; 1 << 20])).await.unwrap();
        far.write_all(&framed(b'S', b"")).await.unwrap();
        assert_eq!(next(&mut input).await.unwrap().1.len(), 1 << 20);
        assert_eq!(next(&mut input).await.unwrap().0, b'S');
        assert!(input.buffer.capacity() <= 2 * LARGE_READ);
    }

    #[tokio::test]
    async fn what_nobody_wants_is_passed_over_without_being_held() {
        let (mut input, mut far) = input(8 << 20);
        far.write_all(&framed(b'd', &[1; 4 << 20])).await.unwrap();
        far.write_all(&framed(b'S', b"")).await.unwrap();
        assert_eq!(next(&mut input).await.unwrap().0, b'S');
        assert!(input.buffer.capacity() <= 2 * LARGE_READ);
    }

    #[tokio::test]
    async fn copy_data_comes_in_bounded_pieces() {
        let (mut input, mut far) = input(8 << 20);
        far.write_all(&framed(b'd', &[1; 1 << 20])).await.unwrap();
        for (tag, body) in [(b'd', &b""[..]), (b'S', b""), (b'H', b""), (b'd', b"x"), (b'c', b"")] {
            far.write_all(&framed(tag, body)).await.unwrap();
        }
        let mut sum = 0;
        let last = loop {
            match next_copy(&mut input).await.unwrap() {
                CopyMessage::Data(piece) => {
                    assert!((1..=LARGE_READ).contains(&piece.len()));
                    sum += piece.len();
                }
                other => break other,
            }
        };
        assert_eq!((last, sum), (CopyMessage::Done, (1 << 20) + 1));
    }

    #[tokio::test]
    async fn a_copy_that_is_given_up_leaves_the_rest_to_be_passed_over() {
        let (mut input, mut far) = input(1 << 20);
        far.write_all(&framed(b'd', &[1; 200_000])).await.unwrap();
        far.write_all(&framed(b'Q', b"q\0")).await.unwrap();
        assert!(matches!(next_copy(&mut input).await, Ok(CopyMessage::Data(_))));
        assert_eq!(next(&mut input).await, Ok((b'Q', b"q\0".to_vec())));
    }

    #[tokio::test]
    async fn what_does_not_belong_into_a_copy_stays() {
        let (mut input, mut far) = input(1 << 20);
        far.write_all(&[framed(b'f', b"why\0"), framed(b'Q', b"q\0")].concat()).await.unwrap();
        assert_eq!(next_copy(&mut input).await, Ok(CopyMessage::Failed(Bytes::from_static(b"why\0"))));
        assert_eq!(next_copy(&mut input).await, Ok(CopyMessage::Unexpected(b'Q')));
        assert_eq!(next(&mut input).await, Ok((b'Q', b"q\0".to_vec())));
    }

    #[tokio::test]
    async fn who_leaves_is_noticed_behind_what_he_said_before() {
        let (mut input, mut far) = input(1 << 20);
        far.write_all(&framed(b'S', b"")).await.unwrap();
        assert!(!poll_fn(|cx| Poll::Ready(input.poll_gone(cx))).await, "still here");
        drop(far);
        assert!(poll_fn(|cx| Poll::Ready(input.poll_gone(cx))).await);
        assert_eq!(next(&mut input).await, Ok((b'S', vec![])));
        assert_eq!(next(&mut input).await, Err(Broken::Gone));
    }

    #[tokio::test]
    async fn reading_ahead_has_a_limit() {
        let (mut input, mut far) = input(1 << 20);
        far.write_all(&[0; 1 << 20]).await.unwrap();
        drop(far);
        assert!(!poll_fn(|cx| Poll::Ready(input.poll_gone(cx))).await, "nobody knows yet");
        assert!(input.buffer.len() <= AHEAD + LARGE_READ);
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_were_put_in(
            messages in proptest::collection::vec(("[QPBFCDEHSX]", proptest::collection::vec(any::<u8>(), 0..300)), 0..20),
            piece in 1_usize..2000,
        ) {
            let messages: Vec<(u8, Vec<u8>)> =
                messages.into_iter().map(|(tag, body)| (tag.as_bytes()[0], body)).collect();
            let bytes: Vec<u8> = messages.iter().flat_map(|(tag, body)| framed(*tag, body)).collect();
            prop_assert_eq!(block_on(all(&bytes, piece)), (messages, Broken::Gone));
        }

        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..500), piece in 1_usize..50) {
            let (messages, _) = block_on(all(&bytes, piece));
            prop_assert!(messages.iter().map(|(_, body)| body.len() + HEAD).sum::<usize>() <= bytes.len());
        }
    }
}
