//! What comes before a startup packet: encryption, or not; and cancel requests, which are all that comes.

use std::io;

use crate::base::{SqlError, SqlState};
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::packet::{Packet, body_length};
use crate::wire::host::{BoxStream, Host, Security, Transport};
use crate::wire::io::FAREWELL;
use crate::wire::message::{Severity, report, violation};
use crate::wire::options::Options;
use crate::wire::serve::Ending;

/// Room for a first read: more than most packets need.
const ROOM: usize = 1 << 10;

/// A client that wants a session.
pub(crate) struct Greeted {
    pub(crate) stream: BoxStream,
    pub(crate) security: Option<Security>,
    pub(crate) major: u16,
    pub(crate) minor: u16,
    /// Its parameters.
    pub(crate) parameters: Bytes,
    /// What has come behind them already.
    pub(crate) rest: BytesMut,
}

/// Answers until the client wants a session. Otherwise the connection ends. Encryption is negotiated once for
/// each kind: there are at most three packets.
pub(crate) async fn greet<H: Host>(
    host: &H,
    transport: Transport,
    options: &Options,
) -> Result<Greeted, Ending> {
    let Transport { mut stream, mut security } = transport;
    let mut buffer = BytesMut::with_capacity(ROOM);
    let (mut may_upgrade, mut may_gss) = (security.is_none(), security.is_none());
    loop {
        let body = packet(&mut stream, &mut buffer).await.ok_or(Ending::Gone)?;
        let asked = Packet::decode(&body);
        match asked {
            Ok(Packet::Tls) if may_upgrade => {
                may_upgrade = false;
                if !options.tls {
                    stream.write_all(b"N").await.map_err(|_| Ending::Gone)?;
                    continue;
                }
                if !buffer.is_empty() {
                    return Err(refuse(stream, early()).await);
                }
                stream.write_all(b"S").await.map_err(|_| Ending::Gone)?;
                let upgraded = host.upgrade(stream).await.map_err(Ending::Handshake)?;
                (stream, security, may_gss) = (upgraded.0, Some(upgraded.1), false);
            }
            Ok(Packet::Gss) if may_gss => {
                may_gss = false;
                stream.write_all(b"N").await.map_err(|_| Ending::Gone)?;
            }
            Ok(Packet::Cancel(request)) => {
                if let Some(request) = request {
                    host.cancel(request).await;
                }
                part(stream, b"").await;
                return Err(Ending::CancelRequest);
            }
            Ok(Packet::Startup { .. } | Packet::Tls | Packet::Gss)
                if options.require_tls && security.is_none() =>
            {
                return Err(refuse(stream, plain()).await);
            }
            Ok(Packet::Startup { major, minor, .. }) => {
                let parameters = body.slice(4..);
                return Ok(Greeted { stream, security, major, minor, parameters, rest: buffer });
            }
            Ok(Packet::Tls | Packet::Gss) => return Err(refuse(stream, again(&body)).await),
            Err(error) => return Err(refuse(stream, error).await),
        }
    }
}

/// The next packet, without its length.
async fn packet(stream: &mut BoxStream, buffer: &mut BytesMut) -> Option<Bytes> {
    loop {
        if let Some(announced) = buffer.first_chunk() {
            let length = body_length(*announced)?;
            if buffer.len() >= 4 + length {
                buffer.advance(4);
                return Some(buffer.split_to(length).freeze());
            }
        }
        buffer.reserve(ROOM);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Tells the client why.
async fn refuse(stream: BoxStream, error: SqlError) -> Ending {
    let mut out = vec![b'E', 0, 0, 0, 0];
    report(&mut out, Severity::Fatal, &error);
    let length = u32::try_from(out.len() - 1).unwrap_or(u32::MAX);
    out[1..5].copy_from_slice(&length.to_be_bytes());
    part(stream, &out).await;
    Ending::Refused(error)
}

/// Last words, as far as the client listens, and an end that TLS announces: libpq takes any other for an error.
async fn part(mut stream: BoxStream, words: &[u8]) {
    let parted = async {
        stream.write_all(words).await?;
        stream.shutdown().await
    };
    let _: Result<io::Result<()>, _> = tokio::time::timeout(FAREWELL, parted).await;
}

/// What came in plain text would be taken for what was encrypted (CVE-2021-23222).
fn early() -> SqlError {
    violation("received unencrypted data after SSL request").with_detail(
        "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
    )
}

fn plain() -> SqlError {
    let state = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    SqlError::new(state, "connections without TLS are not allowed")
        .with_hint("Connect with sslmode=verify-full, or at least sslmode=require.")
}

/// A question that has been answered already is taken for a version, as in PostgreSQL.
fn again(body: &[u8]) -> SqlError {
    let half = |at: usize| body.get(at..at + 2).map_or(0, |half| u16::from_be_bytes([half[0], half[1]]));
    let (major, minor) = (half(0), half(2));
    SqlError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"),
    )
}
