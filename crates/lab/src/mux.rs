//! Many conversations on one byte stream that both ends may lose and find again: a machine's serial channel.
//!
//! The stream outlives the processes at its ends, and what one of them had begun to say is still in it
//! when the next one listens. So both ends first agree on two numbers, line by line, and whatever is
//! not part of that is thrown away; then yamux has the stream to itself. When yamux meets an error, the
//! conversations end and the ends greet each other again. Only the host opens conversations.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::poll_fn;
use kit::entropy::Entropy;
use kit::net::BoxStream;
use kit::task::Tasks;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::compat::{FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};
use yamux::{Config, Connection, ConnectionError, Mode, Stream};

/// Between two greetings that nobody has answered.
const PAUSE: Duration = Duration::from_millis(500);

/// No line of a greeting is longer.
const LONGEST_LINE: usize = 128;

/// Conversations at a time: bounds what a machine has to keep.
const CONVERSATIONS: usize = 64;

/// The host's end: opens conversations.
#[derive(Clone, Debug)]
pub struct Opener {
    wanted: mpsc::Sender<oneshot::Sender<BoxStream>>,
}

impl Opener {
    /// Begins a conversation.
    pub async fn open(&self) -> io::Result<BoxStream> {
        let (tell, told) = oneshot::channel();
        self.wanted.send(tell).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())
    }

    /// Waits until the stream has been lost.
    pub async fn lost(&self) {
        self.wanted.closed().await;
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the machine's agent has gone")
}

/// Greets until the other end answers; then conversations can be opened for as long as the stream lasts.
pub async fn host(mut stream: BoxStream, entropy: &Entropy, tasks: &Tasks) -> io::Result<Opener> {
    greet(&mut stream, entropy.next_u64()).await?;
    let (wanted, asked) = mpsc::channel(CONVERSATIONS);
    let connection = connection(stream, Mode::Client);
    tasks.spawn(async move {
        let why = drive(connection, asked).await;
        tracing::debug!("a serial channel was lost: {why}");
    });
    Ok(Opener { wanted })
}

/// Waits for the host's greeting, then hands over every conversation that it opens. Returns when the stream
/// is lost, and why.
pub async fn guest(
    mut stream: BoxStream,
    entropy: &Entropy,
    mut opened: impl FnMut(BoxStream),
) -> io::Result<()> {
    be_greeted(&mut stream, entropy.next_u64()).await?;
    let mut connection = connection(stream, Mode::Server);
    loop {
        match poll_fn(|cx| connection.poll_next_inbound(cx)).await {
            Some(Ok(stream)) => opened(Box::new(stream.compat())),
            Some(Err(e)) => return Err(io::Error::other(e)),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

type Wire = tokio_util::compat::Compat<BoxStream>;

fn connection(stream: BoxStream, mode: Mode) -> Connection<Wire> {
    let mut config = Config::default();
    config.set_max_num_streams(CONVERSATIONS);
    // A quarter of a mebibyte for each of them is what the protocol wants at least.
    config.set_max_connection_receive_window(Some(CONVERSATIONS * (256 << 10)));
    Connection::new(stream.compat(), config, mode)
}

async fn drive(
    mut connection: Connection<Wire>,
    mut asked: mpsc::Receiver<oneshot::Sender<BoxStream>>,
) -> ConnectionError {
    let mut waiting = None;
    let error = poll_fn(|cx| turn(&mut connection, &mut asked, &mut waiting, cx)).await;
    // Whatever is still asked for finds the channel closed.
    drop(waiting);
    error
}

fn turn(
    connection: &mut Connection<Wire>,
    asked: &mut mpsc::Receiver<oneshot::Sender<BoxStream>>,
    waiting: &mut Option<oneshot::Sender<BoxStream>>,
    cx: &mut Context<'_>,
) -> Poll<ConnectionError> {
    loop {
        if waiting.is_none() {
            match asked.poll_recv(cx) {
                Poll::Ready(Some(next)) => *waiting = Some(next),
                // Nobody can ask any more.
                Poll::Ready(None) => return Poll::Ready(ConnectionError::Closed),
                Poll::Pending => {}
            }
        }
        if waiting.is_some() {
            match connection.poll_new_outbound(cx) {
                Poll::Ready(Ok(stream)) => {
                    hand_out(waiting.take(), stream);
                    continue;
                }
                Poll::Ready(Err(e)) => return Poll::Ready(e),
                Poll::Pending => {}
            }
        }
        match connection.poll_next_inbound(cx) {
            // The machine opens nothing: dropped, which resets it.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(e))) => return Poll::Ready(e),
            Poll::Ready(None) => return Poll::Ready(ConnectionError::Closed),
            Poll::Pending => return Poll::Pending,
        }
    }
}

fn hand_out(to: Option<oneshot::Sender<BoxStream>>, stream: Stream) {
    if let Some(to) = to {
        // Whoever asked may have given up; the stream ends with this drop.
        let _ = to.send(Box::new(stream.compat()));
    }
}

async fn greet(stream: &mut BoxStream, mine: u64) -> io::Result<()> {
    let hello = format!("\nuc-hello {mine:016x}\n");
    let ready = format!("uc-ready {mine:016x} ");
    let theirs = loop {
        stream.write_all(hello.as_bytes()).await?;
        stream.flush().await?;
        let answer = line_that(stream, |line| line.strip_prefix(&ready).map(str::to_owned));
        if let Ok(theirs) = tokio::time::timeout(PAUSE, answer).await {
            break theirs?;
        }
    };
    stream.write_all(format!("uc-go {mine:016x} {theirs}\n").as_bytes()).await?;
    stream.flush().await?;
    let up = format!("uc-up {mine:016x} {theirs}");
    line_that(stream, |line| (line == up).then_some(())).await
}

async fn be_greeted(stream: &mut BoxStream, mine: u64) -> io::Result<()> {
    // Makes what is left of an earlier life of the host end at once: longer than a header of yamux, whose first byte
    // must be 0.
    stream.write_all(b"\nuc-here, and whoever I was is gone\n").await?;
    let mut go = String::new();
    loop {
        let line = line_that(stream, |line| Some(line.to_owned())).await?;
        if let Some(theirs) = line.strip_prefix("uc-hello ") {
            go = format!("uc-go {theirs} {mine:016x}");
            stream.write_all(format!("uc-ready {theirs} {mine:016x}\n").as_bytes()).await?;
        } else if !go.is_empty() && line == go {
            stream.write_all(line.replace("uc-go", "uc-up").as_bytes()).await?;
            stream.write_all(b"\n").await?;
            return stream.flush().await;
        }
        stream.flush().await?;
    }
}

/// Reads lines, byte by byte so that nothing behind them is touched, until one is as wanted.
async fn line_that<T>(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mut wanted: impl FnMut(&str) -> Option<T>,
) -> io::Result<T> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => {
                if let Some(found) = std::str::from_utf8(&line).ok().and_then(&mut wanted) {
                    return Ok(found);
                }
                line.clear();
            }
            // Too long for a line of ours: its rest is dropped with it.
            _ if line.len() >= LONGEST_LINE => {}
            byte => line.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A guest that answers every conversation with what it got.
    fn echo(stream: BoxStream, tasks: &Tasks) {
        let inner = tasks.clone();
        tasks.spawn(async move {
            let entropy = Entropy::system();
            let _ = guest(stream, &entropy, |stream| {
                inner.spawn(async move {
                    let (mut from, mut to) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                    let _ = to.shutdown().await;
                });
            })
            .await;
        });
    }

    async fn ask(opener: &Opener, what: &[u8]) -> Vec<u8> {
        let stream = opener.open().await.unwrap();
        let (mut from, mut to) = tokio::io::split(stream);
        let mut answer = Vec::new();
        let say = async {
            to.write_all(what).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let (_, heard) = tokio::join!(say, from.read_to_end(&mut answer));
        heard.unwrap();
        answer
    }

    #[tokio::test]
    async fn conversations_do_not_mix() {
        let tasks = Tasks::default();
        let (near, far) = tokio::io::duplex(1000);
        echo(Box::new(far), &tasks);
        let opener = host(Box::new(near), &Entropy::system(), &tasks).await.unwrap();
        let large = vec![7; 1 << 20];
        let (a, b, c) = tokio::join!(ask(&opener, b"one"), ask(&opener, &large), ask(&opener, b"three"));
        assert_eq!((a.as_slice(), b == large, c.as_slice()), (&b"one"[..], true, &b"three"[..]));
    }

    #[tokio::test]
    async fn what_an_earlier_life_left_in_the_stream_is_thrown_away() {
        let tasks = Tasks::default();
        let (mut near, mut far) = tokio::io::duplex(10_000);
        for (end, what) in [(&mut near, "half a fra"), (&mut far, "uc-ready 0000 11\nuc-up 12 13\n\0\0\u{1}")]
        {
            end.write_all(what.as_bytes()).await.unwrap();
            end.write_all(&[0; 500]).await.unwrap();
        }
        echo(Box::new(far), &tasks);
        let opener = host(Box::new(near), &Entropy::system(), &tasks).await.unwrap();
        assert_eq!(ask(&opener, b"hello").await, b"hello");
    }

    #[tokio::test]
    async fn a_guest_that_begins_again_ends_the_conversations() {
        let tasks = Tasks::default();
        let (near, mut raw) = tokio::io::duplex(10_000);
        let greeting = async {
            let mut boxed: BoxStream = Box::new(near);
            greet(&mut boxed, 5).await.map(|()| boxed)
        };
        let life = async {
            let hello =
                line_that(&mut raw, |l| l.strip_prefix("uc-hello ").map(str::to_owned)).await.unwrap();
            raw.write_all(format!("uc-ready {hello} 9\n").as_bytes()).await.unwrap();
            line_that(&mut raw, |l| l.starts_with("uc-go").then_some(())).await.unwrap();
            raw.write_all(format!("uc-up {hello} 9\n").as_bytes()).await.unwrap();
        };
        let (stream, ()) = tokio::join!(greeting, life);
        let (wanted, asked) = mpsc::channel(1);
        let opener = Opener { wanted };
        tasks.spawn({
            let connection = connection(stream.unwrap(), Mode::Client);
            async move { drop(drive(connection, asked).await) }
        });
        raw.write_all(b"\nuc-here\n0123456789").await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), opener.lost()).await.unwrap();
        assert!(opener.open().await.is_err());
    }
}
