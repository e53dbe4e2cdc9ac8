//! The host's end of a machine's serial channel, found again whenever it is lost.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use kit::entropy::Entropy;
use kit::net::BoxStream;
use kit::task::Tasks;
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::mux::{self, Opener};

/// Before the channel is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// A channel that is kept up for as long as a clone of this exists.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    opener: watch::Receiver<Option<Opener>>,
}

impl Channel {
    /// Keeps the channel behind QEMU's socket up.
    pub(super) fn keep(socket: PathBuf, tasks: &Tasks) -> Self {
        let (publish, opener) = watch::channel(None);
        let inner = tasks.clone();
        tasks.spawn(async move {
            tokio::select! {
                biased;
                () = publish.closed() => {}
                () = keep_up(&socket, &publish, &inner) => {}
            }
        });
        Self { opener }
    }

    /// Waits until the machine's agent answers.
    pub(super) async fn first_contact(&self) -> io::Result<()> {
        let mut opener = self.opener.clone();
        opener.wait_for(Option::is_some).await.map(drop).map_err(|_| io::ErrorKind::NotConnected.into())
    }

    /// Begins a conversation.
    pub(super) async fn open(&self) -> io::Result<BoxStream> {
        let opener = self.opener.borrow().clone();
        let deaf = || io::Error::new(io::ErrorKind::NotConnected, "its agent does not answer");
        opener.ok_or_else(deaf)?.open().await
    }
}

async fn keep_up(socket: &PathBuf, publish: &watch::Sender<Option<Opener>>, tasks: &Tasks) {
    let entropy = Entropy::system();
    loop {
        // A fresh connection each time: QEMU shows the guest that the earlier one has ended.
        match reach(socket, &entropy, tasks).await {
            Ok(opener) => {
                publish.send_replace(Some(opener.clone()));
                opener.lost().await;
                publish.send_replace(None);
            }
            Err(e) => tracing::debug!("{}: {e}", socket.display()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn reach(socket: &PathBuf, entropy: &Entropy, tasks: &Tasks) -> io::Result<Opener> {
    let stream = UnixStream::connect(socket).await?;
    mux::host(Box::new(stream), entropy, tasks).await
}
