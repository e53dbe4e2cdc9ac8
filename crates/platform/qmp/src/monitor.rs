//! The conversation.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

use kit::task::Tasks;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader,
};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use crate::message::{Event, Message, Version, parse};
use crate::{Error, KEPT, LONGEST, PATIENCE, WAITING};

/// How long QEMU may take to greet.
const GREETING: Duration = Duration::from_secs(30);

/// A machine's monitor. Clones speak on the same stream.
#[derive(Clone, Debug)]
pub struct Monitor {
    version: Version,
    orders: mpsc::Sender<Order>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug)]
struct Order {
    command: String,
    arguments: Value,
    answer: oneshot::Sender<Result<Value, Error>>,
}

impl Monitor {
    /// Opens the conversation on the unix socket of a QEMU.
    pub async fn connect(path: &Path, tasks: &Tasks) -> Result<Self, Error> {
        let stream = UnixStream::connect(path).await;
        let stream = stream.map_err(|e| Error::Gone(format!("{}: {e}", path.display())))?;
        Self::open(stream, tasks).await
    }

    /// Opens the conversation on a stream. It goes on in a task, until QEMU or the last clone is gone.
    pub async fn open(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        tasks: &Tasks,
    ) -> Result<Self, Error> {
        let (from, mut to) = tokio::io::split(stream);
        let mut from = BufReader::new(from);
        let begun = timeout(GREETING, begin(&mut from, &mut to)).await;
        let version = begun.map_err(|_| Error::Gone(format!("no greeting within {GREETING:?}")))??;
        let (orders, taken) = mpsc::channel(WAITING);
        let events = broadcast::Sender::new(KEPT);
        let told = events.clone();
        tasks.spawn(async move { converse(from, to, taken, told).await });
        Ok(Self { version, orders, events })
    }

    /// Which QEMU it is.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Carries out a command within [`PATIENCE`].
    pub async fn execute<T: DeserializeOwned>(&self, command: &str, arguments: Value) -> Result<T, Error> {
        self.execute_within(PATIENCE, command, arguments).await
    }

    /// Carries out a command within a time that includes the wait for its turn.
    pub async fn execute_within<T: DeserializeOwned>(
        &self,
        patience: Duration,
        command: &str,
        arguments: Value,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let order = Order { command: command.to_owned(), arguments, answer };
        self.orders.try_send(order).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        let late = |_| Error::Late { command: command.to_owned(), after: patience };
        let value = timeout(patience, answered).await.map_err(late)?.map_err(|_| gone())??;
        serde_json::from_value(value)
            .map_err(|e| Error::Unexpected { command: command.to_owned(), why: e.to_string() })
    }

    /// Waits until QEMU has gone away, whatever happens before.
    pub async fn gone(&self) {
        self.orders.closed().await;
    }
}

fn gone() -> Error {
    Error::Gone("QEMU has ended the conversation".to_owned())
}

async fn begin(
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<Version, Error> {
    let Message::Greeting(version) = hear(from, &mut Vec::new()).await? else {
        return Err(Error::Gone("it did not greet".to_owned()));
    };
    say(to, &json!({"execute": "qmp_capabilities", "id": 0}))
        .await
        .map_err(|e| Error::Gone(e.to_string()))?;
    loop {
        match hear(from, &mut Vec::new()).await? {
            // Things may happen meanwhile; nobody can be listening yet.
            Message::Event(_) => {}
            Message::Answer(Some(0), Ok(_)) => return Ok(version),
            other => return Err(Error::Gone(format!("it would not talk: {other:?}"))),
        }
    }
}

/// Commands under way, in the order in which QEMU answers them.
type UnderWay = VecDeque<(u64, String, oneshot::Sender<Result<Value, Error>>)>;

async fn converse(
    mut from: impl AsyncBufRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut orders: mpsc::Receiver<Order>,
    events: broadcast::Sender<Event>,
) {
    let mut under_way = UnderWay::new();
    let mut line = Vec::new();
    let mut last = 0;
    let why = loop {
        tokio::select! {
            biased;
            heard = hear(&mut from, &mut line) => match heard {
                Ok(Message::Event(event)) => drop(events.send(event)),
                Ok(Message::Answer(id, outcome)) => settle(&mut under_way, id, outcome),
                Ok(Message::Greeting(_)) => {}
                Err(e) => break e,
            },
            // One at a time: what waits here can still be given up.
            order = orders.recv(), if under_way.is_empty() => {
                let Some(order) = order else { break gone() };
                // Nobody waits for it any more: better not done than done unseen.
                if order.answer.is_closed() {
                    continue;
                }
                last += 1;
                let said = say(&mut to, &message(last, &order)).await;
                under_way.push_back((last, order.command, order.answer));
                if let Err(e) = said {
                    break Error::Gone(e.to_string());
                }
            }
        }
    };
    tracing::debug!(%why, "a monitor ends");
    orders.close();
    let waiting = std::iter::from_fn(|| orders.try_recv().ok()).map(|order| order.answer);
    for answer in under_way.into_iter().map(|(_, _, answer)| answer).chain(waiting) {
        let _ = answer.send(Err(why.clone()));
    }
}

fn message(id: u64, order: &Order) -> Value {
    match &order.arguments {
        Value::Null => json!({"execute": order.command, "id": id}),
        arguments => json!({"execute": order.command, "arguments": arguments, "id": id}),
    }
}

/// An answer without an id is about the command that QEMU could not read: the one under way.
fn settle(under_way: &mut UnderWay, id: Option<u64>, outcome: Result<Value, crate::message::Refusal>) {
    let known = |(wanted, ..): &(u64, String, _)| id.is_none_or(|id| id == *wanted);
    let Some((_, command, answer)) = under_way.pop_front_if(|first| known(first)) else {
        tracing::warn!(?id, "an answer that nobody asked for");
        return;
    };
    let outcome =
        outcome.map_err(|refusal| Error::Refused { command, class: refusal.class, text: refusal.text });
    let _ = answer.send(outcome);
}

async fn say(to: &mut (impl AsyncWrite + Unpin), message: &Value) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}

/// Reads a message. `line` keeps what has come of it when the caller does something else meanwhile.
async fn hear(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> Result<Message, Error> {
    let room = (LONGEST + 1).saturating_sub(line.len()) as u64;
    let read = from.take(room).read_until(b'\n', line).await;
    read.map_err(|e| Error::Gone(e.to_string()))?;
    if line.len() > LONGEST {
        return Err(Error::Gone(format!("it says more than {LONGEST} bytes in one line")));
    }
    if line.last() != Some(&b'\n') {
        return Err(gone());
    }
    let message = parse(line).map_err(Error::Gone);
    line.clear();
    message
}
