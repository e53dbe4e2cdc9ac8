//! What a service manager is told (sd_notify(3)). Without one, nothing happens.

use sd_notify::NotifyState;

use super::Process;
use crate::health::Status;

/// The role is up.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It is going down.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// It is reading its files again; [`ready`] ends that.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(e) => tracing::warn!(error = %e, "cannot read the monotonic clock"),
    }
}

/// Keeps the manager's watchdog quiet, from a task, so that a stuck runtime is found; and only while the
/// live checks pass.
pub(super) fn watch(process: &Process) {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return };
    let health = process.health.clone();
    process.context.tasks().spawn(async move {
        loop {
            let alive = health.livez();
            if alive.status == Status::Ok {
                tell(&[NotifyState::Watchdog]);
            } else {
                tracing::error!("not alive, the watchdog is left to bite: {}", alive.to_string().trim_end());
            }
            tokio::time::sleep(timeout / 3).await;
        }
    });
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::warn!(error = %e, "cannot reach the service manager");
    }
}
