//! SQLite's own log is kept short: what is in it is copied into the file beside the writer, and now and then the
//! writer begins it anew.

use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use tokio::time::{MissedTickBehavior, interval};

use crate::engine::{EngineError, Files};
use crate::machine::Shared;

/// Between two looks at how long the log is.
const LOOK: Duration = Duration::from_millis(500);
/// From here on it is copied.
const LONG: u64 = 16 << 20;
/// From here on the writer stops for it.
const TOO_LONG: u64 = 64 << 20;

/// Keeps the log short for as long as the process lives.
pub(super) async fn run(context: Context, shared: Arc<Shared>, files: Files) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let (shared, files) = (shared.clone(), files.clone());
        match context.blocking(move || look(&shared, &files)).await {
            Some(Ok(())) => {}
            Some(Err(e)) => return context.tasks().fail_storage(format!("a checkpoint failed: {e}")),
            None => return context.tasks().fail("a checkpoint panicked; the process must start again"),
        }
    }
}

fn look(shared: &Shared, files: &Files) -> Result<(), EngineError> {
    // Another file may have taken its place by now.
    let files = files.latest()?;
    let size = files.log_bytes()?;
    if size > LONG {
        files.make_durable()?;
    }
    if size > TOO_LONG {
        shared.writer().restart_log()?;
    }
    Ok(())
}
