//! The writing half: whole messages in a buffer, and the buffer to the client.

use std::io;
use std::time::Duration;

use crate::base::{SqlError, SqlState};
use tokio::io::{AsyncWriteExt as _, WriteHalf};

use crate::wire::control::Control;
use crate::wire::host::BoxStream;

/// Of one message, as in PostgreSQL.
const LONGEST: usize = 0x3fff_ffff;
/// Type and length.
const HEAD: usize = 5;
/// What an idle connection keeps.
const IDLE: usize = 8 << 10;
/// What a last word may take.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

pub(crate) struct Output {
    writer: WriteHalf<BoxStream>,
    buffer: Vec<u8>,
    /// So much of the buffer is whole messages. What is behind it was given up half-way and is never sent.
    whole: usize,
    flush_at: usize,
    write_limit: Option<Duration>,
    control: Control,
    broken: bool,
}

impl Output {
    pub(crate) fn new(
        writer: WriteHalf<BoxStream>,
        flush_at: usize,
        write_limit: Option<Duration>,
        control: Control,
    ) -> Self {
        Self { writer, buffer: Vec::new(), whole: 0, flush_at, write_limit, control, broken: false }
    }

    /// Adds a message. If its body fails, there is no message.
    pub(crate) fn message(
        &mut self,
        tag: u8,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        self.buffer.truncate(self.whole);
        self.buffer.extend_from_slice(&[tag, 0, 0, 0, 0]);
        body(&mut self.buffer)?;
        let length = self.buffer.len() - self.whole - 1;
        let length = u32::try_from(length).ok().filter(|_| length <= LONGEST).ok_or_else(too_long)?;
        self.buffer[self.whole + 1..self.whole + HEAD].copy_from_slice(&length.to_be_bytes());
        self.whole = self.buffer.len();
        Ok(())
    }

    /// Adds a message that cannot fail: it is short.
    pub(crate) fn short(&mut self, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
        let added = self.message(tag, |out| {
            body(out);
            Ok(())
        });
        debug_assert!(added.is_ok(), "a short message");
    }

    /// Whether it holds so much that it wants to be flushed.
    pub(crate) fn is_full(&self) -> bool {
        self.whole >= self.flush_at
    }

    /// Whether nothing can be written any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes all whole messages. An error (08006) is for ever.
    pub(crate) async fn flush(&mut self) -> Result<(), SqlError> {
        if self.whole == 0 && !self.broken {
            return Ok(());
        }
        let limit = self.write_limit;
        let written =
            if self.broken { Err(io::ErrorKind::BrokenPipe.into()) } else { self.write(limit).await };
        self.buffer.clear();
        self.whole = 0;
        written.map_err(|error| {
            self.broken = true;
            let message = format!("could not send data to client: {error}");
            self.control.stopped().unwrap_or_else(|| SqlError::new(SqlState::CONNECTION_FAILURE, message))
        })
    }

    /// Gives memory back, now that the client will think for a while: there may be many that do.
    pub(crate) fn relax(&mut self) {
        if self.whole == 0 && self.buffer.capacity() > IDLE {
            self.buffer = Vec::with_capacity(IDLE);
        }
    }

    async fn write(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let mut rest = &self.buffer[..self.whole];
        while !rest.is_empty() {
            let written = self.writer.write(rest);
            let written = tokio::select! {
                biased;
                written = written => written?,
                () = self.control.until_broken() => return Err(io::ErrorKind::BrokenPipe.into()),
                () = elapsed(limit) => return Err(io::ErrorKind::TimedOut.into()),
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        tokio::select! {
            biased;
            flushed = self.writer.flush() => flushed,
            () = self.control.until_broken() => Err(io::ErrorKind::BrokenPipe.into()),
            () = elapsed(limit) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Writes what is left, for as long as is decent. Nobody can be told of an error.
    pub(crate) async fn say_farewell(&mut self) {
        let words = async {
            self.writer.write_all(&self.buffer[..self.whole]).await?;
            self.writer.flush().await
        };
        if !self.broken {
            let _: Result<io::Result<()>, _> = tokio::time::timeout(FAREWELL, words).await;
            self.broken = true;
        }
    }

    /// Ends the stream.
    pub(crate) async fn close(&mut self) {
        let _: Result<io::Result<()>, _> = tokio::time::timeout(FAREWELL, self.writer.shutdown()).await;
    }
}

async fn elapsed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn too_long() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("a message is longer than {LONGEST} bytes"))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream};

    use super::*;

    fn output(limit: Option<Duration>, pipe: usize) -> (Output, DuplexStream, Control) {
        let (near, far) = tokio::io::duplex(pipe);
        let stream: BoxStream = Box::new(near);
        let (_, writer) = tokio::io::split(stream);
        let control = Control::new();
        (Output::new(writer, 1024, limit, control.clone()), far, control)
    }

    async fn sent(mut far: DuplexStream) -> Vec<u8> {
        let mut sent = Vec::new();
        far.read_to_end(&mut sent).await.unwrap();
        sent
    }

    #[tokio::test]
    async fn a_message_that_fails_half_way_was_never_there() {
        let (mut output, far, _) = output(None, 64);
        output.short(b'Z', |out| out.push(b'I'));
        let failed = output.message(b'D', |out| {
            out.extend_from_slice(b"half");
            Err(too_long())
        });
        assert!(failed.is_err());
        output.flush().await.unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            output.short(b'D', |_| panic!("in the middle"));
        }));
        assert!(panicked.is_err());
        output.short(b'Z', |out| out.push(b'T'));
        output.say_farewell().await;
        drop(output);
        assert_eq!(sent(far).await, b"Z\0\0\0\x05IZ\0\0\0\x05T");
    }

    #[tokio::test]
    async fn many_small_writes_make_one_message() {
        let (mut output, far, _) = output(None, 3);
        let body = vec![7; 5000];
        output.short(b'D', |out| out.extend_from_slice(&body));
        assert!(output.is_full());
        let (flushed, sent) = tokio::join!(
            async {
                output.flush().await.unwrap();
                output.close().await;
                drop(output);
            },
            sent(far)
        );
        assert_eq!((flushed, sent.len(), &sent[5..]), ((), 5005, &body[..]));
    }

    #[tokio::test]
    async fn an_idle_connection_keeps_little() {
        let (mut output, _far, _) = output(None, 1 << 20);
        output.short(b'D', |out| out.extend_from_slice(&[7; 100_000]));
        output.relax();
        assert!(output.buffer.len() > 100_000, "not what is to be sent");
        output.flush().await.unwrap();
        output.relax();
        assert_eq!(output.buffer.capacity(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_after_the_limit() {
        let (mut output, _far, _) = output(Some(Duration::from_secs(9)), 3);
        let begun = tokio::time::Instant::now();
        output.short(b'D', |out| out.extend_from_slice(b"long"));
        let error = output.flush().await.unwrap_err();
        assert_eq!((error.state, begun.elapsed().as_secs()), (SqlState::CONNECTION_FAILURE, 9));
        assert!(output.is_broken() && output.flush().await.is_err(), "for ever");
    }

    #[tokio::test]
    async fn a_write_that_waits_ends_with_the_connection() {
        let (mut output, _far, control) = output(None, 3);
        output.short(b'D', |out| out.extend_from_slice(b"long"));
        let (flushed, ()) = tokio::join!(output.flush(), async { control.terminate() });
        assert_eq!(flushed.unwrap_err().state, SqlState::ADMIN_SHUTDOWN);
    }
}
