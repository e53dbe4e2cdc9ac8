//! The host's end of a machine's serial channel, found again whenever it is lost.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kit::entropy::Entropy;
use kit::net::BoxStream;
use kit::task::Tasks;
use qmp::Event;
use tokio::net::UnixStream;
use tokio::sync::{broadcast, watch};

use crate::mux::{self, Opener};

/// The machine's end, as QEMU's arguments call it.
pub(super) const PORT: &str = "agent-port";

/// Before the channel is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// A channel that is kept up for as long as a clone of this exists.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    opener: watch::Receiver<State>,
}

/// The channel as it is, and how often the agent was greeted.
#[derive(Clone, Debug, Default)]
struct State {
    opener: Option<Opener>,
    contacts: u64,
}

impl Channel {
    /// Keeps the channel behind QEMU's socket up. A reset cuts the machine's end off in the middle of a word, and
    /// only QEMU says so.
    pub(super) fn keep(socket: PathBuf, events: broadcast::Receiver<Event>, tasks: &Tasks) -> Self {
        let (publish, opener) = watch::channel(State::default());
        let inner = tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = publish.closed() => {}
                () = keep_up(&socket, events, &publish, &inner) => {}
            }
        });
        Self { opener }
    }

    /// Waits until the machine's agent answers.
    pub(super) async fn first_contact(&self) -> io::Result<()> {
        self.contact_after(0).await
    }

    /// How often an agent has answered the greeting.
    pub(super) fn contact(&self) -> u64 {
        self.opener.borrow().contacts
    }

    /// Waits until an agent has answered the greeting once more than that.
    pub(super) async fn contact_after(&self, contact: u64) -> io::Result<()> {
        let mut state = self.opener.clone();
        let anew = state.wait_for(|state| state.contacts > contact && state.opener.is_some()).await;
        anew.map(drop).map_err(|_| io::ErrorKind::NotConnected.into())
    }

    /// Begins a conversation.
    pub(super) async fn open(&self) -> io::Result<BoxStream> {
        let opener = self.opener.borrow().opener.clone();
        let deaf = || io::Error::new(io::ErrorKind::NotConnected, "its agent does not answer");
        opener.ok_or_else(deaf)?.open().await
    }
}

async fn keep_up(
    socket: &PathBuf,
    mut events: broadcast::Receiver<Event>,
    publish: &watch::Sender<State>,
    tasks: &Tasks,
) {
    let entropy = Entropy::system();
    loop {
        // A fresh connection each time: QEMU shows the guest that the earlier one has ended.
        match reach(socket, &entropy, tasks).await {
            Ok(opener) => {
                // What was said before this greeting is not about who has answered it.
                events = events.resubscribe();
                publish.send_modify(|state| {
                    state.opener = Some(opener.clone());
                    state.contacts += 1;
                });
                tokio::select! {
                    biased;
                    () = opener.lost() => {}
                    () = hung_up(&mut events) => {}
                }
                drop(opener);
                publish.send_modify(|state| state.opener = None);
            }
            Err(e) => tracing::debug!("{}: {e}", socket.display()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the machine's end of the channel is closed.
async fn hung_up(events: &mut broadcast::Receiver<Event>) {
    loop {
        match events.recv().await {
            Ok(event) if event.name == "VSERPORT_CHANGE" => {
                if event.data["id"] == PORT && event.data["open"] == false {
                    return;
                }
            }
            // One that was missed may have been this one.
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            // QEMU is gone, and the stream with it.
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}

async fn reach(socket: &PathBuf, entropy: &Entropy, tasks: &Tasks) -> io::Result<Opener> {
    let stream = UnixStream::connect(socket).await?;
    mux::host(Box::new(stream), entropy, tasks).await
}
