//! A service as a unit file would describe it, and the decisions a service manager takes about it.
//!
//! The rules are systemd's (systemd.service(5), systemd.unit(5)): `Restart=on-failure`, `RestartSec=`,
//! `StartLimitIntervalSec=`/`StartLimitBurst=`, `TimeoutStartSec=`, `TimeoutStopSec=`, readiness by
//! sd_notify(3). Nothing here starts a process: [`Machine::on`] says what to do. Left out is the
//! watchdog, which would kill what a fault has paused on purpose.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// What to run and how to keep it running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The role's or program's name.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Added to the node's plain environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How it says that it is up.
    #[serde(default)]
    pub ready: Ready,
    /// What it may fill (the full-disk fault replaces it by a small file system).
    #[serde(default)]
    pub data_dir: Option<String>,
    /// How patient and how stubborn the manager is.
    #[serde(default)]
    pub policy: Policy,
}

/// How a service says that it is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ready {
    /// `Type=notify`: it sends `READY=1`.
    #[default]
    Notify,
    /// `Type=exec`: it is up when it was executed.
    Exec,
}

/// Timings of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// `RestartSec=`.
    pub restart: Duration,
    /// `StartLimitIntervalSec=`.
    pub limit_interval: Duration,
    /// `StartLimitBurst=`: so many starts are allowed in the interval.
    pub limit_burst: usize,
    /// `TimeoutStartSec=`.
    pub start: Duration,
    /// `TimeoutStopSec=`.
    pub stop: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            restart: Duration::from_millis(500),
            limit_interval: Duration::from_secs(30),
            limit_burst: 10,
            start: Duration::from_secs(60),
            stop: Duration::from_secs(15),
        }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit status, when it exited.
    pub code: Option<i32>,
    /// The signal that ended it, when one did.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether `Restart=on-failure` leaves it alone: status 0, or SIGHUP, SIGINT, SIGTERM, SIGPIPE.
    pub fn is_clean(self) -> bool {
        match (self.code, self.signal) {
            (Some(code), _) => code == 0,
            (None, Some(signal)) => {
                [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE].contains(&signal)
            }
            (None, None) => false,
        }
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit status {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => f.write_str("an unknown end"),
        }
    }
}

/// Where a unit is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not running, and nobody wants it to.
    Inactive,
    /// Executed, not yet up.
    Starting,
    /// Up.
    Active,
    /// Asked to end.
    Stopping,
    /// Ended by itself; starts again when its pause is over.
    Restarting,
    /// Ended by itself too often.
    Failed,
}

impl Phase {
    /// As markers and people have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it up. Clears the start limit, as `systemctl reset-failed` would.
    Start,
    /// Somebody wants it down, politely.
    Stop,
    /// It will be killed by somebody who does not want it back.
    Hold,
    /// It said `READY=1`.
    Ready,
    /// Its process ended (or could not be executed).
    Exited(Exit),
    /// Time has passed.
    Tick,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Execute it.
    Spawn,
    /// Ask it to end (SIGTERM to the main process).
    Terminate,
    /// End it (SIGKILL to all its processes).
    Kill,
}

/// The state of one unit.
#[derive(Clone, Debug)]
pub struct Machine {
    policy: Policy,
    ready: Ready,
    phase: Phase,
    /// When [`Event::Tick`] is due.
    deadline: Option<Instant>,
    starts: VecDeque<Instant>,
    held: bool,
    /// Restarts since it was last asked to start.
    pub restarts: u32,
    /// How its last process ended.
    pub last_exit: Option<Exit>,
}

impl Machine {
    /// A unit that is down.
    pub fn new(ready: Ready, policy: Policy) -> Self {
        Self {
            policy,
            ready,
            phase: Phase::Inactive,
            deadline: None,
            starts: VecDeque::new(),
            held: false,
            restarts: 0,
            last_exit: None,
        }
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When it wants a [`Event::Tick`].
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes an event and says what to do.
    pub fn on(&mut self, event: Event, now: Instant) -> Option<Action> {
        match (event, self.phase) {
            (Event::Start, Phase::Inactive | Phase::Failed | Phase::Restarting) => self.start_anew(now),
            (Event::Stop, Phase::Starting | Phase::Active) => {
                self.enter(Phase::Stopping, Some(now + self.policy.stop));
                Some(Action::Terminate)
            }
            (Event::Stop | Event::Hold, Phase::Restarting | Phase::Failed) => self.rest(Phase::Inactive),
            (Event::Hold, Phase::Starting | Phase::Active) => {
                self.held = true;
                None
            }
            (Event::Ready, Phase::Starting) => {
                self.enter(Phase::Active, None);
                None
            }
            (Event::Exited(exit), _) => self.exited(exit, now),
            (Event::Tick, _) if self.deadline.is_some_and(|due| due <= now) => self.due(now),
            _ => None,
        }
    }

    /// Forgets earlier starts: what is killed on purpose has not failed too often
    /// (`systemctl reset-failed`).
    pub fn forgive(&mut self) {
        self.starts.clear();
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        self.phase = phase;
        self.deadline = deadline;
    }

    fn rest(&mut self, phase: Phase) -> Option<Action> {
        self.enter(phase, None);
        None
    }

    fn start_anew(&mut self, now: Instant) -> Option<Action> {
        self.starts.clear();
        self.restarts = 0;
        self.held = false;
        self.spawn(now)
    }

    fn spawn(&mut self, now: Instant) -> Option<Action> {
        self.starts.push_back(now);
        match self.ready {
            Ready::Notify => self.enter(Phase::Starting, Some(now + self.policy.start)),
            Ready::Exec => self.enter(Phase::Active, None),
        }
        Some(Action::Spawn)
    }

    fn exited(&mut self, exit: Exit, now: Instant) -> Option<Action> {
        self.last_exit = Some(exit);
        let wanted = matches!(self.phase, Phase::Starting | Phase::Active) && !self.held;
        self.held = false;
        if !wanted || exit.is_clean() {
            return self.rest(Phase::Inactive);
        }
        if self.limit_hit(now) {
            return self.rest(Phase::Failed);
        }
        self.enter(Phase::Restarting, Some(now + self.policy.restart));
        None
    }

    fn limit_hit(&mut self, now: Instant) -> bool {
        while self.starts.front().is_some_and(|at| now.duration_since(*at) > self.policy.limit_interval) {
            self.starts.pop_front();
        }
        self.starts.len() >= self.policy.limit_burst
    }

    fn due(&mut self, now: Instant) -> Option<Action> {
        match self.phase {
            Phase::Restarting => {
                self.restarts += 1;
                self.spawn(now)
            }
            // Too slow to start or to stop: what follows is decided when its process has ended.
            Phase::Starting | Phase::Stopping => {
                self.deadline = None;
                Some(Action::Kill)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KILLED: Exit = Exit { code: None, signal: Some(9) };
    const CLEAN: Exit = Exit { code: Some(0), signal: None };

    fn up(now: Instant) -> Machine {
        let mut unit = Machine::new(Ready::Notify, Policy::default());
        assert_eq!(unit.on(Event::Start, now), Some(Action::Spawn));
        unit.on(Event::Ready, now);
        assert_eq!(unit.phase(), Phase::Active);
        unit
    }

    #[test]
    fn a_killed_unit_comes_back_after_its_pause() {
        let now = Instant::now();
        let mut unit = up(now);
        assert_eq!(unit.on(Event::Exited(KILLED), now), None);
        assert_eq!(unit.phase(), Phase::Restarting);
        assert_eq!(unit.on(Event::Tick, now), None, "too early");
        assert_eq!(unit.on(Event::Tick, unit.deadline().unwrap()), Some(Action::Spawn));
        assert_eq!(unit.restarts, 1);
    }

    #[test]
    fn a_held_unit_stays_down_until_it_is_started() {
        let now = Instant::now();
        let mut unit = up(now);
        unit.on(Event::Hold, now);
        unit.on(Event::Exited(KILLED), now);
        assert_eq!(unit.phase(), Phase::Inactive);
        assert_eq!(unit.on(Event::Start, now), Some(Action::Spawn));
        unit.on(Event::Exited(KILLED), now);
        assert_eq!(unit.phase(), Phase::Restarting, "the hold is used up");
    }

    #[test]
    fn a_clean_exit_is_no_failure() {
        let now = Instant::now();
        let mut unit = up(now);
        unit.on(Event::Exited(CLEAN), now);
        assert_eq!(unit.phase(), Phase::Inactive);
    }

    #[test]
    fn too_many_starts_fail_the_unit_until_somebody_starts_it() {
        let mut now = Instant::now();
        let mut unit = up(now);
        let burst = Policy::default().limit_burst;
        for _ in 0..burst {
            unit.on(Event::Exited(KILLED), now);
            if let Some(due) = unit.deadline() {
                now = due;
                unit.on(Event::Tick, now);
            }
        }
        assert_eq!(unit.phase(), Phase::Failed);
        assert_eq!(unit.on(Event::Start, now), Some(Action::Spawn));
    }

    #[test]
    fn kills_on_purpose_do_not_count() {
        let mut now = Instant::now();
        let mut unit = up(now);
        for _ in 0..50 {
            unit.forgive();
            unit.on(Event::Exited(KILLED), now);
            now = unit.deadline().unwrap();
            assert_eq!(unit.on(Event::Tick, now), Some(Action::Spawn));
        }
    }

    #[test]
    fn what_does_not_end_in_time_is_killed() {
        let now = Instant::now();
        let mut unit = up(now);
        assert_eq!(unit.on(Event::Stop, now), Some(Action::Terminate));
        let due = unit.deadline().unwrap();
        assert_eq!(unit.on(Event::Tick, due), Some(Action::Kill));
        unit.on(Event::Exited(KILLED), due);
        assert_eq!(unit.phase(), Phase::Inactive, "a stop is never followed by a restart");
    }

    #[test]
    fn what_is_not_ready_in_time_is_killed_and_tried_again() {
        let now = Instant::now();
        let mut unit = Machine::new(Ready::Notify, Policy::default());
        unit.on(Event::Start, now);
        let due = unit.deadline().unwrap();
        assert_eq!(unit.on(Event::Tick, due), Some(Action::Kill));
        unit.on(Event::Exited(KILLED), due);
        assert_eq!(unit.phase(), Phase::Restarting);
    }

    proptest! {
        /// Whatever happens in whatever order: never two processes at once, and no phase without an
        /// end that waits for nothing.
        #[test]
        fn never_two_processes(events in prop::collection::vec(0u8..7, 1..200)) {
            let mut now = Instant::now();
            let mut unit = Machine::new(Ready::Notify, Policy::default());
            let mut running = false;
            for event in events {
                now += Duration::from_millis(200);
                let event = match event {
                    0 => Event::Start,
                    1 => Event::Stop,
                    2 => Event::Hold,
                    3 if running => Event::Ready,
                    4 if running => Event::Exited(KILLED),
                    5 if running => Event::Exited(CLEAN),
                    _ => Event::Tick,
                };
                if matches!(event, Event::Exited(_)) {
                    running = false;
                }
                if unit.on(event, now) == Some(Action::Spawn) {
                    prop_assert!(!running, "spawned twice");
                    running = true;
                }
                let expects_process = matches!(unit.phase(), Phase::Starting | Phase::Active | Phase::Stopping);
                prop_assert_eq!(running, expects_process);
                prop_assert!(unit.phase() != Phase::Restarting || unit.deadline().is_some());
            }
        }
    }
}
