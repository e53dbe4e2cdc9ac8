//! What the store wants done now and then: flushes, and forgetting what was compacted.

use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{Store, StoreError};

/// The longest that changes stay in memory alone: bounds what a restart applies again.
const IDLE: Duration = Duration::from_secs(10);
/// Changes looked at in one slice of scrubbing: a few milliseconds.
const SLICE: usize = 1000;

/// Keeps house for as long as the process lives.
pub(super) async fn run(context: Context, store: Arc<Store>) -> Result<(), StoreError> {
    loop {
        let idle = timeout(IDLE, store.work()).await.is_err();
        flush(&context, &store, idle).await?;
        loop {
            let begun = Instant::now();
            if !blocking(&context, &store, |store| store.scrub(SLICE)).await?.unwrap_or(false) {
                break;
            }
            // Half of the time belongs to others: the disk is theirs too.
            sleep(begun.elapsed()).await;
            flush(&context, &store, false).await?;
        }
    }
}

/// Makes everything durable when the process stops, so that its next start has nothing to replay.
pub(super) async fn flush_at_the_end(context: Context, store: Arc<Store>) {
    context.tasks().stopping().cancelled().await;
    match blocking(&context, &store, Store::flush).await {
        Ok(_) => tracing::debug!("the store is on disk"),
        Err(e) => tracing::warn!(error = %e, "the last changes will be applied again at the next start"),
    }
}

async fn flush(context: &Context, store: &Arc<Store>, idle: bool) -> Result<(), StoreError> {
    let wanted = store.take_flush_wish() || idle;
    let flushed = blocking(context, store, move |store| match wanted {
        true => store.flush(),
        false => store.flush_sealed(),
    });
    flushed.await.map(drop)
}

/// None: the call panicked, which ends a real process.
async fn blocking<T: Send + 'static>(
    context: &Context,
    store: &Arc<Store>,
    call: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<Option<T>, StoreError> {
    let store = store.clone();
    context.blocking(move || call(&store)).await.transpose()
}
