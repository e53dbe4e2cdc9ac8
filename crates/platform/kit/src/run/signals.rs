//! Signals: what an operator or a supervisor asks of the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Process, service};

/// Takes over SIGTERM, SIGINT and SIGHUP.
pub(super) fn listen(process: &Process) -> io::Result<()> {
    let (term, int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let hangup = signal(SignalKind::hangup())?;
    let tasks = process.context.tasks();
    tasks.spawn(reload(process.clone(), hangup));
    // Outlives the stop, or a second signal would find nobody; ends with the runtime.
    let stop = stop(process.clone(), term, int);
    #[expect(clippy::disallowed_methods, reason = "a tracked task would have to end before the process can")]
    tokio::spawn(stop);
    Ok(())
}

/// The first signal stops in order, the second at once.
async fn stop(process: Process, mut term: Signal, mut int: Signal) {
    let name = either(&mut term, &mut int).await;
    tracing::info!("{name}: stopping; once more to stop at once");
    let tasks = process.context.tasks();
    tokio::select! {
        biased;
        name = either(&mut term, &mut int) => at_once(name),
        () = process.prepare_to_stop() => tasks.stop(),
    }
    at_once(either(&mut term, &mut int).await);
}

fn at_once(name: &str) -> ! {
    tracing::warn!("{name} again: stopping at once");
    std::process::exit(1);
}

async fn either(term: &mut Signal, int: &mut Signal) -> &'static str {
    tokio::select! {
        biased;
        _ = term.recv() => "SIGTERM",
        _ = int.recv() => "SIGINT",
    }
}

async fn reload(process: Process, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        tracing::info!("SIGHUP: reloading");
        service::reloading();
        let reloading = process.clone();
        process.context.blocking(move || reloading.reload()).await;
        service::ready();
    }
}
