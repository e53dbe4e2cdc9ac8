//! What the store wants done now and then: flushes, forgetting what was compacted, rewriting the file.

use std::sync::Arc;
use std::time::Duration;

use kit::Context;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::store::{Progress, StepError, Store, StoreError};

/// The longest that changes stay in memory alone: bounds what a restart applies again.
const IDLE: Duration = Duration::from_secs(10);
/// Changes looked at in one slice of scrubbing: a few milliseconds.
const SLICE: usize = 500;
/// Between two slices of scrubbing, by the time that one took: processor and disk are others' too, and all members
/// scrub at once.
const REST: u32 = 3;
/// Rows copied in one slice of rewriting: a few milliseconds, too.
const ROWS: usize = 2048;

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
            sleep(begun.elapsed() * REST).await;
            flush(&context, &store, false).await?;
        }
        if store.is_rewrite_wanted() {
            rewrite(&context, &store).await?;
        }
    }
}

/// Rewrites the file, beside everything else. A rewrite that fails is given up, and who asked is told.
async fn rewrite(context: &Context, store: &Arc<Store>) -> Result<(), StoreError> {
    let begun = (Instant::now(), store.size().file);
    let outcome = rewrite_in_slices(context, store).await;
    let (took, before, after) = (begun.0.elapsed(), begun.1, store.size().file);
    let failure = match outcome {
        Ok(()) => {
            tracing::info!(?took, before, after, "the store's file was rewritten");
            None
        }
        Err(StepError::GivenUp(e)) => {
            tracing::warn!(error = %e, "the store's file was not rewritten; the old one stays in use");
            Some(e.to_string())
        }
        Err(StepError::Fatal(e)) => return Err(e),
    };
    let owned = store.clone();
    context.blocking(move || owned.end_rewrite(failure)).await;
    Ok(())
}

async fn rewrite_in_slices(context: &Context, store: &Arc<Store>) -> Result<(), StepError> {
    // The compaction that was asked for before is on disk first, and so is what it superseded gone.
    blocking(context, store, Store::flush).await.map_err(StepError::Fatal)?;
    while blocking(context, store, |store| store.scrub(SLICE))
        .await
        .map_err(StepError::Fatal)?
        .unwrap_or(false)
    {
        yield_now().await;
    }
    let begun = blocking(context, store, |store| store.begin_rewrite(ROWS)).await?;
    let Some(mut rewrite) = begun else { return Ok(()) };
    loop {
        let (begun, owned) = (Instant::now(), store.clone());
        let stepped = context.blocking(move || {
            let progress = rewrite.step(&owned);
            (rewrite, progress)
        });
        let Some((next, progress)) = stepped.await else { return Ok(()) };
        rewrite = next;
        match progress? {
            Progress::Done => return Ok(()),
            // Writers are gaining on it.
            Progress::CatchingUp => yield_now().await,
            Progress::Copying => sleep(begun.elapsed()).await,
        }
        flush(context, store, false).await.map_err(StepError::Fatal)?;
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
