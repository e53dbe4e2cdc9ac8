//! Named checks: is this process alive, and may it be given work?
//!
//! Every part that can fail owns a check. A *live* check says that only a restart helps; a *ready* check
//! says that work should go elsewhere for now. A ready check begins as failed, because a part that has
//! not reported yet is not ready. Refuses to do anything about a failure: that is the supervisor's part.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::context::Context;

/// All checks of one process. Clones share them.
#[derive(Clone)]
pub struct Health {
    checks: Arc<Mutex<BTreeMap<String, Entry>>>,
    clock: Clock,
    stopping: CancellationToken,
}

/// What a failing check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Restart me.
    Live,
    /// Send work elsewhere.
    Ready,
}

/// Reports for one part. Dropping it leaves its last word.
#[derive(Clone)]
pub struct Check {
    health: Health,
    name: Arc<str>,
}

/// The state of all checks at one moment; its JSON is what `/health` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check passes.
    pub status: Status,
    /// Each check, by name.
    pub checks: Vec<CheckReport>,
}

/// One check's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// Whether it passes.
    pub status: Status,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it has this status; RFC 3339 in JSON.
    #[serde(serialize_with = "as_text")]
    pub since: jiff::Timestamp,
}

/// Whether something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Ok,
    /// It does not.
    Fail,
}

type Probe = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

struct Entry {
    kind: Kind,
    /// `None`: it passes.
    failure: Option<String>,
    since: SystemTime,
    probe: Option<Probe>,
}

impl Health {
    /// No checks yet: ready and alive, until the process stops.
    pub fn new(context: &Context) -> Self {
        let stopping = context.tasks().stopping();
        Self { checks: Arc::default(), clock: context.clock().clone(), stopping }
    }

    /// A readiness check; fails as "starting" until it is told otherwise.
    pub fn check(&self, name: &str) -> Check {
        self.insert(name, Kind::Ready, Some("starting".into()), None)
    }

    /// A liveness check; passes until it is told otherwise.
    pub fn live(&self, name: &str) -> Check {
        self.insert(name, Kind::Live, None, None)
    }

    /// A check that is found out each time somebody asks. `probe` must not block; its error says why.
    pub fn probe(
        &self,
        name: &str,
        kind: Kind,
        probe: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) {
        let now = probe().err();
        self.insert(name, kind, now, Some(Arc::new(probe)));
    }

    /// Everything.
    pub fn report(&self) -> Report {
        self.report_of(|_| true)
    }

    /// Whether only a restart helps: the live checks.
    pub fn livez(&self) -> Report {
        self.report_of(|kind| kind == Kind::Live)
    }

    /// Whether work may come: all checks, and the process is not stopping.
    pub fn readyz(&self) -> Report {
        let mut report = self.report();
        if self.stopping.is_cancelled() {
            let (name, reason) = ("process".into(), Some("stopping".into()));
            report.checks.push(CheckReport {
                name,
                status: Status::Fail,
                reason,
                since: timestamp(self.clock.now()),
            });
            report.status = Status::Fail;
        }
        report
    }

    fn insert(&self, name: &str, kind: Kind, failure: Option<String>, probe: Option<Probe>) -> Check {
        let entry = Entry { kind, failure, since: self.clock.now(), probe };
        self.lock().insert(name.to_owned(), entry);
        Check { health: self.clone(), name: name.into() }
    }

    /// Asks the probes first, without the lock, since they may take locks of their own.
    fn report_of(&self, wanted: impl Fn(Kind) -> bool) -> Report {
        let probes: Vec<(String, Probe)> =
            self.lock().iter().filter_map(|(name, e)| Some((name.clone(), e.probe.clone()?))).collect();
        for (name, probe) in probes {
            self.set(&name, probe().err());
        }
        let checks: Vec<_> = self
            .lock()
            .iter()
            .filter(|(_, entry)| wanted(entry.kind))
            .map(|(name, entry)| CheckReport {
                name: name.clone(),
                status: if entry.failure.is_none() { Status::Ok } else { Status::Fail },
                reason: entry.failure.clone(),
                since: timestamp(entry.since),
            })
            .collect();
        let healthy = checks.iter().all(|check| check.status == Status::Ok);
        Report { status: if healthy { Status::Ok } else { Status::Fail }, checks }
    }

    fn set(&self, name: &str, failure: Option<String>) {
        let now = self.clock.now();
        let mut checks = self.lock();
        let Some(entry) = checks.get_mut(name) else { return };
        if entry.failure.is_some() == failure.is_some() {
            entry.failure = failure;
            return;
        }
        entry.since = now;
        match &failure {
            None => tracing::info!(check = name, "a health check passes"),
            Some(reason) => tracing::warn!(check = name, %reason, "a health check fails"),
        }
        entry.failure = failure;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Entry>> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// It works.
    pub fn ok(&self) {
        self.health.set(&self.name, None);
    }

    /// It does not, and this is why and what helps.
    pub fn fail(&self, reason: impl Into<String>) {
        self.health.set(&self.name, Some(reason.into()));
    }
}

impl fmt::Display for Report {
    /// As Kubernetes' own endpoints print it with `?verbose`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            match &check.reason {
                None => writeln!(f, "[+]{} ok", check.name)?,
                Some(reason) => writeln!(f, "[-]{} failed since {}: {reason}", check.name, check.since)?,
            }
        }
        f.write_str(if self.status == Status::Ok { "passed\n" } else { "failed\n" })
    }
}

fn as_text<S: serde::Serializer>(time: &jiff::Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(time)
}

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    jiff::Timestamp::try_from(time).unwrap_or_default()
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.report()).finish()
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::disk::RealDisk;
    use crate::entropy::Entropy;
    use crate::net::Tcp;

    fn at(seconds: &Arc<AtomicU64>) -> Context {
        let seconds = seconds.clone();
        let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed)));
        Context::simulated(clock, Entropy::seeded(0), Arc::new(RealDisk), Arc::new(Tcp))
    }

    #[test]
    fn the_json_names_each_check_with_its_reason_and_since_when() {
        let now = Arc::new(AtomicU64::new(1_800_000_000));
        let health = Health::new(&at(&now));
        let (quorum, store) = (health.check("quorum"), health.live("store"));
        now.fetch_add(5, Ordering::Relaxed);
        quorum.fail("no leader for 1s; 1 of 3 members answer");
        now.fetch_add(5, Ordering::Relaxed);
        quorum.fail("no leader for 6s; 1 of 3 members answer");
        let json = serde_json::to_string(&health.report()).expect("plain data");
        let since = "2027-01-15T08:00:00Z";
        assert_eq!(
            json,
            format!(
                r#"{{"status":"fail","checks":[{{"name":"quorum","status":"fail","reason":"no leader for 6s; 1 of 3 members answer","since":"{since}"}},{{"name":"store","status":"ok","since":"{since}"}}]}}"#
            )
        );
        store.ok();
        quorum.ok();
        assert_eq!(health.report().checks[0].since.to_string(), "2027-01-15T08:00:10Z");
        assert_eq!(health.report().status, Status::Ok);
    }

    #[test]
    fn liveness_and_readiness_are_two_questions() {
        let context = at(&Arc::default());
        let health = Health::new(&context);
        let quorum = health.check("quorum");
        assert_eq!((health.livez().status, health.readyz().status), (Status::Ok, Status::Fail));
        quorum.ok();
        assert_eq!(health.readyz().status, Status::Ok);
        health.live("worker").fail("stuck");
        assert_eq!((health.livez().status, health.readyz().status), (Status::Fail, Status::Fail));
        health.live("worker").ok();
        context.tasks().stop();
        assert_eq!((health.livez().status, health.readyz().status), (Status::Ok, Status::Fail));
    }

    #[test]
    fn a_probe_is_asked_each_time() {
        let (context, lag) = (at(&Arc::default()), Arc::new(AtomicU64::new(0)));
        let health = Health::new(&context);
        let seen = lag.clone();
        health.probe("lag", Kind::Ready, move || match seen.load(Ordering::Relaxed) {
            0 => Ok(()),
            n => Err(format!("{n} entries behind")),
        });
        assert_eq!(health.readyz().status, Status::Ok);
        lag.store(7, Ordering::Relaxed);
        assert_eq!(health.readyz().checks[0].reason.as_deref(), Some("7 entries behind"));
        assert_eq!(
            health.readyz().to_string(),
            "[-]lag failed since 1970-01-01T00:00:00Z: 7 entries behind\nfailed\n"
        );
    }
}
