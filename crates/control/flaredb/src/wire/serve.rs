//! One connection, from its first byte to its last.

use std::any::Any;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};

use crate::base::{SqlError, SqlState};
use bytes::Bytes;
use futures::FutureExt as _;
use tokio::time::{Instant, timeout_at};

use crate::wire::client::Client;
use crate::wire::connection::Connection;
use crate::wire::control::{Control, shut_down};
use crate::wire::host::{Host, Security, Transport};
use crate::wire::io::{Broken, Input, Output};
use crate::wire::message::Severity;
use crate::wire::options::Options;
use crate::wire::startup::{Greeted, greet, log_in};

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The client has taken its leave.
    Left,
    /// It has not; or it took nothing for too long, or it never was a client of PostgreSQL's.
    Gone,
    /// It wanted to cancel something, and that was all.
    CancelRequest,
    /// TLS could not be agreed on.
    Handshake(io::Error),
    /// It was told so, FATAL: not let in, shut down, out of step, idle for too long.
    Refused(SqlError),
    /// The session had a bug, and the client was told so.
    Panicked,
}

/// Speaks to one client until one of both leaves. `control` is this connection's own.
pub(crate) async fn serve<H: Host>(
    host: &H,
    transport: Transport,
    options: &Options,
    control: &Control,
) -> Ending {
    let deadline = Instant::now() + options.startup_limit;
    // Boxed: it is large, and gone when the session begins.
    let greeting = Box::pin(contained(greet(host, transport, options)));
    let greeted = tokio::select! {
        biased;
        () = control.until_ended(true) => return Ending::Refused(shut_down()),
        greeted = timeout_at(deadline, greeting) => greeted,
    };
    let Greeted { stream, security, major, minor, parameters, rest } = match greeted {
        Ok(Ok(Ok(greeted))) => greeted,
        Ok(Ok(Err(ending))) => return ending,
        Ok(Err(Panicked)) => return Ending::Panicked,
        // Nobody knows yet whether it would understand a message.
        Err(_) => return Ending::Gone,
    };
    let (reader, writer) = tokio::io::split(stream);
    let input = Arc::new(Mutex::new(Input::new(reader, rest)));
    let output = Output::new(writer, options.flush_at, options.write_limit, control.clone());
    let mut client = Client::new(output, input, control.clone(), options.max_message);
    match start(host, options, &mut client, ((major, minor, parameters), security), deadline).await {
        Ok(session) => Connection::new(session, client, control).run().await,
        Err(ending) => {
            tell(&mut client, &ending);
            client.output.say_farewell().await;
            client.output.close().await;
            ending
        }
    }
}

/// Logs in, in time and while nobody ends the connection.
async fn start<H: Host>(
    host: &H,
    options: &Options,
    client: &mut Client,
    ((major, minor, parameters), security): ((u16, u16, Bytes), Option<Security>),
    deadline: Instant,
) -> Result<H::Session, Ending> {
    let control = client.control().clone();
    let login = log_in(host, options, client, (major, minor, &parameters), security);
    let login = Box::pin(contained(login));
    let logged_in = tokio::select! {
        biased;
        () = control.until_ended(true) => return Err(Ending::Refused(shut_down())),
        logged_in = timeout_at(deadline, login) => logged_in,
    };
    match logged_in {
        Ok(Ok(Ok(session))) => Ok(session),
        Ok(Ok(Err(Broken::Gone))) => Err(Ending::Gone),
        Ok(Ok(Err(Broken::Lost(error)))) => Err(Ending::Refused(error)),
        Ok(Err(Panicked)) => Err(Ending::Panicked),
        Err(_) => {
            let message = "canceling authentication due to timeout";
            Err(Ending::Refused(SqlError::new(SqlState::QUERY_CANCELED, message)))
        }
    }
}

/// Writes the last word to the client, if there is one.
pub(crate) fn tell(client: &mut Client, ending: &Ending) {
    match ending {
        Ending::Refused(error) => client.error(Severity::Fatal, error),
        Ending::Panicked => {
            let error = SqlError::new(SqlState::INTERNAL_ERROR, "internal error").with_detail(
                "The statement failed in a way that nobody expected; the server's log has more.",
            );
            client.error(Severity::Fatal, &error);
        }
        Ending::Left | Ending::Gone | Ending::CancelRequest | Ending::Handshake(_) => {}
    }
}

/// A panic that was caught and logged.
pub(crate) struct Panicked;

/// Keeps a panic from whoever polls. What it leaves behind must not be used again.
pub(crate) async fn contained<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        tracing::error!(panic = what(&*panic), "a session has panicked");
        Panicked
    })
}

fn what(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("not a text")
}
