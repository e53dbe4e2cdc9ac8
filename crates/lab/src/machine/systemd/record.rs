//! What is remembered of a service between two looks at it. Pure.

use crate::node::protocol::ServiceStatus;
use crate::node::unit::{Exit, Phase};

/// How systemd shows a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// `ActiveState`.
    pub(super) active: String,
    /// `SubState`.
    pub(super) sub: String,
    /// `StatusText`.
    pub(super) text: String,
    /// `MainPID`, 0 for none.
    pub(super) pid: i32,
    /// `NRestarts`.
    pub(super) restarts: u32,
    /// `ExecMainCode`: a `CLD_*` of waitid(2), 0 while it runs.
    pub(super) code: i32,
    /// `ExecMainStatus`: exit status or signal.
    pub(super) status: i32,
    /// `ExecMainStartTimestampMonotonic`, µs.
    pub(super) started: u64,
}

/// A service over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// As the lab shows it.
    pub(super) status: ServiceStatus,
    last: Snapshot,
    /// The process that a fault has paused.
    paused: Option<i32>,
}

impl Record {
    pub(super) fn new(log: String) -> Self {
        let phase = Phase::Inactive;
        let status =
            ServiceStatus { phase, paused: false, pid: None, starts: 0, last_exit: None, text: None, log };
        Self { status, last: Snapshot::default(), paused: None }
    }

    /// Takes in how it is now. What happened between two looks is counted by what it left behind.
    pub(super) fn see(&mut self, now: &Snapshot) {
        if now.started != 0 && now.started != self.last.started {
            self.status.starts += now.restarts.saturating_sub(self.last.restarts).max(1);
        }
        // systemd forgets a unit that nothing needs; what it had said before still holds.
        if let Some(exit) = exit_of(now) {
            self.status.last_exit = Some(exit);
        }
        self.status.phase = phase(now);
        self.status.pid = (now.pid != 0).then_some(now.pid);
        self.status.text = (!now.text.is_empty()).then(|| now.text.clone());
        if self.paused.is_some_and(|pid| pid != now.pid) {
            self.paused = None;
        }
        self.status.paused = self.paused.is_some();
        let last = std::mem::replace(&mut self.last, now.clone());
        if now.started == 0 {
            self.last.started = last.started;
        }
    }

    /// A fault has paused its process, or lets it go on.
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = self.status.pid.filter(|_| paused);
        self.status.paused = self.paused.is_some();
    }
}

fn exit_of(now: &Snapshot) -> Option<Exit> {
    match now.code {
        libc::CLD_EXITED => Some(Exit { code: Some(now.status), signal: None }),
        libc::CLD_KILLED | libc::CLD_DUMPED => Some(Exit { code: None, signal: Some(now.status) }),
        _ => None,
    }
}

fn phase(now: &Snapshot) -> Phase {
    match (now.active.as_str(), now.sub.as_str()) {
        ("activating", sub) if sub.starts_with("auto-restart") => Phase::Restarting,
        ("activating", _) => Phase::Starting,
        ("active" | "reloading" | "refreshing", _) => Phase::Active,
        ("deactivating", _) => Phase::Stopping,
        ("failed", _) => Phase::Failed,
        _ => Phase::Inactive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(pid: i32, started: u64, restarts: u32) -> Snapshot {
        let (active, sub) = ("active".into(), "running".into());
        Snapshot { active, sub, pid, started, restarts, ..Snapshot::default() }
    }

    fn waiting(started: u64, restarts: u32, code: i32, status: i32) -> Snapshot {
        let (active, sub) = ("activating".into(), "auto-restart".into());
        Snapshot { active, sub, started, restarts, code, status, ..Snapshot::default() }
    }

    #[test]
    fn an_end_is_remembered_after_the_next_start() {
        let mut record = Record::new(String::new());
        record.see(&running(10, 100, 0));
        record.see(&waiting(100, 0, libc::CLD_EXITED, 74));
        assert_eq!(record.status.phase, Phase::Restarting);
        record.see(&running(11, 200, 1));
        assert_eq!(record.status.starts, 2);
        assert_eq!(record.status.last_exit, Some(Exit { code: Some(74), signal: None }));
        record.see(&waiting(200, 1, libc::CLD_KILLED, 9));
        assert_eq!(record.status.last_exit, Some(Exit { code: None, signal: Some(9) }));
    }

    #[test]
    fn starts_that_nobody_saw_are_counted() {
        let mut record = Record::new(String::new());
        record.see(&running(10, 100, 0));
        record.see(&running(14, 900, 4));
        assert_eq!(record.status.starts, 5);
        // An ordinary start begins systemd's own count again.
        record.see(&running(15, 1000, 0));
        assert_eq!(record.status.starts, 6);
    }

    #[test]
    fn a_unit_that_systemd_forgot_keeps_its_past() {
        let mut record = Record::new(String::new());
        record.see(&running(10, 100, 0));
        record.see(&Snapshot {
            active: "inactive".into(),
            code: libc::CLD_EXITED,
            started: 100,
            ..Snapshot::default()
        });
        record.see(&Snapshot { active: "inactive".into(), ..Snapshot::default() });
        assert_eq!((record.status.starts, record.status.last_exit.map(|e| e.code)), (1, Some(Some(0))));
    }

    #[test]
    fn a_pause_ends_with_its_process() {
        let mut record = Record::new(String::new());
        record.see(&running(10, 100, 0));
        record.pause(true);
        record.see(&running(10, 100, 0));
        assert!(record.status.paused);
        record.see(&running(11, 200, 1));
        assert!(!record.status.paused);
    }
}
