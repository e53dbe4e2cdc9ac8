//! The loop of a connection that is let in: takes a message, does what it says, and reports how that ended.

mod attend;
mod extended;

use std::future::poll_fn;

use crate::base::SqlError;
use tokio::time::{Instant, sleep_until};

use crate::wire::client::Client;
use crate::wire::control::{Control, shut_down};
use crate::wire::io::{Broken, Message, lock};
use crate::wire::message::{Severity, ends_connection, limit, nothing, query, violation};
use crate::wire::serve::{Ending, Panicked, contained, tell};
use crate::wire::session::{Session, Status};
use attend::attend;

pub(crate) struct Connection<'a, S: Session> {
    session: S,
    client: Client,
    control: &'a Control,
    /// An error in the extended protocol: nothing is done until Sync.
    skipping: bool,
    /// Something of the extended protocol came, and no Sync yet.
    in_batch: bool,
}

impl<'a, S: Session> Connection<'a, S> {
    pub(crate) fn new(session: S, client: Client, control: &'a Control) -> Self {
        Self { session, client, control, skipping: false, in_batch: false }
    }

    pub(crate) async fn run(mut self) -> Ending {
        let ending = self.converse().await;
        tell(&mut self.client, &ending);
        self.client.output.say_farewell().await;
        let Self { mut session, mut client, .. } = self;
        let panicked = matches!(ending, Ending::Panicked);
        let ended = contained(async move {
            if !panicked {
                session.end().await;
            }
            drop(session);
        });
        let _: Result<(), Panicked> = ended.await;
        client.output.close().await;
        ending
    }

    async fn converse(&mut self) -> Ending {
        if let Err(ending) = self.ready().await {
            return ending;
        }
        let input = self.client.input.clone();
        let control = self.control;
        loop {
            let message = match self.next().await {
                Ok(message) => message,
                Err(ending) => return ending,
            };
            control.begin();
            match contained(attend(&input, control, self.handle(message))).await {
                Ok(Ok(())) => {}
                Ok(Err(ending)) => return ending,
                Err(Panicked) => return Ending::Panicked,
            }
        }
    }

    /// Waits for the next message that is to be handled.
    async fn next(&mut self) -> Result<Message, Ending> {
        let idle = !self.in_batch && self.session.status() == Status::Idle;
        if self.control.is_client_gone() {
            return Err(Ending::Gone);
        }
        if self.control.is_ended(idle) {
            return Err(Ending::Refused(shut_down()));
        }
        let deadline = self.session.idle_deadline();
        let (input, longest, skipping) = (&self.client.input, self.client.max_message, self.skipping);
        let next = poll_fn(|cx| {
            let limit = |tag| limit(tag, longest);
            lock(input).poll_message(cx, limit, |tag| is_wanted(tag, skipping))
        });
        tokio::select! {
            biased;
            next = next => next.map_err(|broken| match broken {
                Broken::Gone => Ending::Gone,
                Broken::Lost(error) => Ending::Refused(error),
            }),
            () = self.control.until_ended(idle) => Err(Ending::Refused(shut_down())),
            () = until(deadline) => Err(Ending::Refused(self.session.idle_expired())),
        }
    }

    /// Does what a message says. Whatever the session makes of it, the client is answered.
    async fn handle(&mut self, message: Message) -> Result<(), Ending> {
        let done = match message.tag {
            b'X' => return Err(Ending::Left),
            b'Q' => self.query(&message.body).await,
            b'S' => self.sync(&message.body).await,
            b'F' => Err(SqlError::unsupported("a function call by OID")),
            tag => {
                self.in_batch = true;
                self.extended(tag, &message.body).await
            }
        };
        // A session that gives up while data is copied in leaves the rest of it to be passed over.
        lock(&self.client.input).end_copy();
        match done {
            Ok(()) if matches!(message.tag, b'Q' | b'S') => self.ready().await,
            Ok(()) if self.client.output.is_full() => self.flush().await,
            Ok(()) => Ok(()),
            Err(error) => self.failed(message.tag, error).await,
        }
    }

    async fn query(&mut self, body: &[u8]) -> Result<(), SqlError> {
        self.in_batch = false;
        let sql = query(body)?;
        self.session.prepared().close_unnamed();
        self.session.simple(sql, &mut self.client).await
    }

    async fn sync(&mut self, body: &[u8]) -> Result<(), SqlError> {
        self.in_batch = false;
        self.skipping = false;
        nothing(body)?;
        self.session.sync(&mut self.client).await
    }

    /// Reports an error, and decides what comes after it.
    async fn failed(&mut self, tag: u8, error: SqlError) -> Result<(), Ending> {
        if self.control.is_client_gone() {
            return Err(Ending::Gone);
        }
        if ends_connection(error.state) {
            return Err(Ending::Refused(error));
        }
        if self.client.output.is_broken() {
            return Err(Ending::Gone);
        }
        self.session.failed().await;
        self.client.error(Severity::Error, &error);
        if self.client.lost {
            let message = "terminating connection because protocol synchronization was lost";
            return Err(Ending::Refused(violation(message)));
        }
        if matches!(tag, b'Q' | b'S' | b'F') {
            return self.ready().await;
        }
        self.skipping = true;
        self.flush().await
    }

    /// Portals end with their transaction.
    async fn ready(&mut self) -> Result<(), Ending> {
        let status = self.session.status();
        if status == Status::Idle {
            self.session.prepared().close_portals();
        }
        self.client.output.short(b'Z', |out| out.push(status.byte()));
        self.flush().await?;
        self.client.output.relax();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        self.client.flush().await.map_err(|error| match ends_connection(error.state) {
            true => Ending::Refused(error),
            false => Ending::Gone,
        })
    }
}

/// COPY data outside a COPY is the rest of one that has failed. After an error only two messages matter.
fn is_wanted(tag: u8, skipping: bool) -> bool {
    match tag {
        b'd' | b'c' | b'f' => false,
        _ => !skipping || matches!(tag, b'S' | b'X'),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
