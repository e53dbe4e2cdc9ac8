//! A service's log, copied to the host while it grows: a power cut must not take the evidence.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use crate::agent::log_of;
use crate::node::Body;
use crate::node::protocol::Request;
use crate::wire::{self, Kind};

/// Before a machine that is off or deaf is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Copies until the supervisor ends.
pub(super) async fn keep(body: &dyn Body, service: &str, dir: &Path) {
    let copy = dir.join("log").join(format!("{service}.log"));
    loop {
        if let Err(e) = follow(body, service, &copy).await {
            tracing::debug!("the log of {service}: {e}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn follow(body: &dyn Body, service: &str, copy: &Path) -> io::Result<()> {
    let mut stream = body.connect().await?;
    let mut file = File::options().create(true).append(true).open(copy)?;
    let offset = file.metadata()?.len();
    wire::write_json(&mut stream, &Request::Follow { path: log_of(service), offset }).await?;
    while let Some((kind, data)) = wire::read(&mut stream).await? {
        if kind == Kind::Stdout {
            file.write_all(&data)?;
        }
    }
    Ok(())
}
