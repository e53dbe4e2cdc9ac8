//! Requests that took long: a line in the log with what was asked and where the time went.
//!
//! What is known of a request is noted while it is served, and read only if it was slow. A unary request is over
//! when the last byte of its answer has been handed to the connection, so that a client that does not read shows
//! as one. Streams, and calls that wait for others, take as long as they take: they are not looked at.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use kit::telemetry::Throttle;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use quorum::Stages;
use tokio::time::Instant;

/// One line of each method in this time; the others are counted.
const PERIOD: Duration = Duration::from_secs(1);
/// Of a key, so much is shown.
const KEY_BYTES: usize = 128;
/// Calls that wait for another's doing, or are known to be long.
const LONG: [&str; 9] = [
    "Lock",
    "Campaign",
    "Compact",
    "Defragment",
    "Hash",
    "HashKV",
    "Authenticate",
    "MoveLeader",
    "MemberPromote",
];

tokio::task_local! {
    static TRACE: Trace;
}

/// What becomes known of a request while it is served.
#[derive(Default)]
pub(super) struct Trace {
    key: RefCell<Bytes>,
    confirm: Cell<Duration>,
    stages: Cell<Option<Stages>>,
}

/// Serves a request and gives what became known of it.
pub(super) async fn traced<T>(serving: impl Future<Output = T>) -> (T, Trace) {
    let mut serving = pin!(TRACE.scope(Trace::default(), serving));
    let served = serving.as_mut().await;
    (served, serving.take_value().unwrap_or_default())
}

/// The key that the present request is about, or the first of them.
pub(super) fn note_key(key: Bytes) {
    note(|trace| *trace.key.borrow_mut() = key);
}

/// How long it took to confirm that this member is up to date.
pub(super) fn note_confirm(took: Duration) {
    note(|trace| trace.confirm.set(trace.confirm.get() + took));
}

/// Where the time of its proposal went.
pub(super) fn note_stages(stages: Option<Stages>) {
    note(|trace| trace.stages.set(stages));
}

/// What serves nobody's request is nobody's slow request.
fn note(down: impl FnOnce(&Trace)) {
    let _ = TRACE.try_with(down);
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByMethod {
    method: &'static str,
}

/// Where slow requests are told.
#[derive(Debug)]
pub(super) struct SlowLog {
    limit: Duration,
    lines: Throttle,
    counts: Family<ByMethod, Counter>,
}

/// When a request that is looked at was begun, and when its answer was ready.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) begun: Instant,
    pub(super) answered: Instant,
}

impl SlowLog {
    /// From `limit` on a request is slow; zero: none is.
    pub(super) fn new(limit: Duration, counts: Family<ByMethod, Counter>) -> Self {
        Self { limit, lines: Throttle::new(PERIOD), counts }
    }

    /// Whether it matters how long this method takes.
    pub(super) fn looks_at(&self, method: &str, kind: &str) -> bool {
        !self.limit.is_zero() && kind == "unary" && !LONG.contains(&method)
    }

    /// A request is over.
    pub(super) fn ended(&self, method: &'static str, times: Times, trace: &Trace) {
        let took = times.begun.elapsed();
        if took < self.limit {
            return;
        }
        self.counts.get_or_create(&ByMethod { method }).inc();
        let Some(held_back) = self.lines.admit(method) else { return };
        let parts = Parts { trace, send: times.answered.elapsed() };
        let key = shown(&trace.key.borrow());
        tracing::warn!(method, ?took, %parts, key, held_back, "slow request");
    }
}

/// Where the time went, as far as it is known.
struct Parts<'t> {
    trace: &'t Trace,
    send: Duration,
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let confirm = self.trace.confirm.get();
        if !confirm.is_zero() {
            write!(f, "confirm={confirm:.1?} ")?;
        }
        if let Some(Stages { queue, fsync, replicate, apply }) = self.trace.stages.get() {
            write!(f, "queue={queue:.1?} fsync={fsync:.1?} replicate={replicate:.1?} apply={apply:.1?} ")?;
        }
        write!(f, "send={:.1?}", self.send)
    }
}

/// A key for a line of text: it is bytes, and may be long.
fn shown(key: &[u8]) -> String {
    let part = &key[..key.len().min(KEY_BYTES)];
    let text = part.escape_ascii();
    if part.len() < key.len() { format!("{text}…") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_noted_while_a_request_is_served_is_its_own() {
        let serve = |key: &'static str, wait: u32| async move {
            note_key(Bytes::from_static(key.as_bytes()));
            tokio::time::sleep(MS * wait).await;
            note_confirm(MS * wait);
            note_confirm(MS);
            note_stages(Some(Stages { apply: MS * wait, ..Stages::default() }));
        };
        let (one, two) = tokio::join!(traced(serve("one", 5)), traced(serve("two", 3)));
        for ((_, trace), key, wait) in [(one, "one", 5), (two, "two", 3)] {
            assert_eq!(trace.key.borrow().as_ref(), key.as_bytes());
            let parts = Parts { trace: &trace, send: MS }.to_string();
            let confirm = wait + 1;
            let expected = format!(
                "confirm={confirm}.0ms queue=0.0ns fsync=0.0ns replicate=0.0ns apply={wait}.0ms send=1.0ms"
            );
            assert_eq!(parts, expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_is_slow_is_counted() {
        let log = SlowLog::new(100 * MS, Family::default());
        let count = || log.counts.get_or_create(&ByMethod { method: "Put" }).get();
        let times = Times { begun: Instant::now(), answered: Instant::now() };
        advance(99 * MS).await;
        log.ended("Put", times, &Trace::default());
        assert_eq!(count(), 0);
        advance(MS).await;
        log.ended("Put", times, &Trace::default());
        log.ended("Put", times, &Trace::default());
        assert_eq!(count(), 2, "whether a line was written or not");
        assert!(log.looks_at("Put", "unary") && !log.looks_at("Lock", "unary"));
        assert!(!log.looks_at("Watch", "bidi_stream"));
        assert!(!SlowLog::new(Duration::ZERO, Family::default()).looks_at("Put", "unary"));
    }

    #[test]
    fn a_key_is_shown_short_and_harmless() {
        assert_eq!(shown(b"/registry/\n\xff"), "/registry/\\n\\xff");
        assert_eq!(shown(&[b'a'; 200]), format!("{}…", "a".repeat(128)));
    }
}
