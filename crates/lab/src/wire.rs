//! Frames on the lab's own sockets: command line to supervisor, supervisor to a node's init.
//!
//! A frame is a kind (one byte), a length (u32, big-endian) and so many bytes. A conversation begins
//! with one JSON frame, the request; what follows depends on it. Both ends are the same binary.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A larger frame is a bug or not ours.
const MAX_FRAME: u32 = 4 << 20;

/// How long to wait for the other end to have read the last answer.
const LINGER: Duration = Duration::from_secs(2);

/// What a frame's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A request or a reply.
    Json = 1,
    /// Input of a command, or a file's content.
    Input = 2,
    /// The end of the input.
    EndOfInput = 3,
    /// A command's standard output.
    Stdout = 4,
    /// A command's standard error.
    Stderr = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> io::Result<Self> {
        [Self::Json, Self::Input, Self::EndOfInput, Self::Stdout, Self::Stderr]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
            .ok_or_else(|| invalid(format!("no frame is of kind {byte}")))
    }
}

fn invalid(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Writes one frame.
pub async fn write<W: AsyncWrite + Unpin>(to: &mut W, kind: Kind, data: &[u8]) -> io::Result<()> {
    let size = u32::try_from(data.len()).ok().filter(|n| *n <= MAX_FRAME);
    let size = size.ok_or_else(|| invalid(format!("a frame of {} bytes is too large", data.len())))?;
    let mut frame = Vec::with_capacity(data.len() + 5);
    frame.push(kind as u8);
    frame.extend_from_slice(&size.to_be_bytes());
    frame.extend_from_slice(data);
    to.write_all(&frame).await
}

/// Reads one frame; `None` when the other end has closed between two frames.
pub async fn read<R: AsyncRead + Unpin>(from: &mut R) -> io::Result<Option<(Kind, Vec<u8>)>> {
    let mut kind = [0];
    if from.read(&mut kind).await? == 0 {
        return Ok(None);
    }
    let kind = Kind::from_byte(kind[0])?;
    let size = from.read_u32().await?;
    if size > MAX_FRAME {
        return Err(invalid(format!("a frame of {size} bytes is too large")));
    }
    let mut data = vec![0; size as usize];
    from.read_exact(&mut data).await?;
    Ok(Some((kind, data)))
}

/// Writes a value as one JSON frame.
pub async fn write_json<W: AsyncWrite + Unpin>(to: &mut W, value: &impl Serialize) -> io::Result<()> {
    write(to, Kind::Json, &serde_json::to_vec(value)?).await
}

/// Reads a JSON frame; anything else, the end included, is an error.
pub async fn read_json<R: AsyncRead + Unpin, T: DeserializeOwned>(from: &mut R) -> io::Result<T> {
    match read(from).await? {
        Some((Kind::Json, data)) => Ok(serde_json::from_slice(&data)?),
        Some((kind, _)) => Err(invalid(format!("expected a JSON frame, got {kind:?}"))),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Reads input frames up to their end: a file's content, at most `limit` bytes.
pub async fn read_input<R: AsyncRead + Unpin>(from: &mut R, limit: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        match read(from).await? {
            Some((Kind::Input, data)) if content.len() + data.len() <= limit => content.extend(data),
            Some((Kind::Input, _)) => return Err(invalid(format!("more than {limit} bytes of input"))),
            Some((Kind::EndOfInput, _)) => return Ok(content),
            Some((kind, _)) => return Err(invalid(format!("expected input, got {kind:?}"))),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Ends a conversation so that the last answer arrives: closing a unix socket with unread input would
/// reset it under the reader. Whatever the other end still sends is read and dropped, for a while.
pub async fn hang_up<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(from: &mut R, to: &mut W) {
    let _ = to.shutdown().await;
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(from, &mut tokio::io::sink())).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_keep_their_kind_and_content() {
        let (mut a, mut b) = tokio::io::duplex(64);
        let writer = async {
            write_json(&mut a, &"hello").await.unwrap();
            write(&mut a, Kind::Input, &[7; 1000]).await.unwrap();
            write(&mut a, Kind::EndOfInput, &[]).await.unwrap();
            drop(a);
        };
        let reader = async {
            assert_eq!(read_json::<_, String>(&mut b).await.unwrap(), "hello");
            assert_eq!(read_input(&mut b, 1000).await.unwrap(), [7; 1000]);
            assert!(read(&mut b).await.unwrap().is_none());
        };
        tokio::join!(writer, reader);
    }

    #[tokio::test]
    async fn garbage_and_giants_are_refused() {
        let garbage: &[u8] = &[200, 0, 0, 0, 0];
        assert!(read(&mut &*garbage).await.is_err());
        let giant: &[u8] = &[1, 0xff, 0xff, 0xff, 0xff];
        assert!(read(&mut &*giant).await.is_err());
        let cut: &[u8] = &[1, 0, 0, 0, 9, b'x'];
        assert!(read(&mut &*cut).await.is_err());
        assert!(write(&mut tokio::io::sink(), Kind::Input, &vec![0; MAX_FRAME as usize + 1]).await.is_err());
    }
}
