//! Processes by name of record: a pid alone may have been given to somebody else since.

use std::fs;
use std::io;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process of this boot of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its pid as the host sees it.
    pub pid: i32,
    /// Clock ticks from the host's boot to its start (proc(5), stat field 22).
    pub start_ticks: u64,
    /// The host's boot that the ticks count from.
    pub host_boot: String,
}

impl Process {
    /// Looks a living process up.
    pub fn of(pid: i32) -> io::Result<Self> {
        Ok(Self { pid, start_ticks: start_ticks(pid)?, host_boot: host_boot()? })
    }

    /// This process.
    pub fn this() -> io::Result<Self> {
        Self::of(std::process::id().cast_signed())
    }

    /// Whether this very process still runs, and not another one with its pid. A zombie does not run.
    pub fn is_alive(&self) -> bool {
        let same_boot = host_boot().is_ok_and(|boot| boot == self.host_boot);
        same_boot
            && start_ticks(self.pid).is_ok_and(|ticks| ticks == self.start_ticks)
            && !is_zombie(self.pid)
    }

    /// Kills it with SIGKILL if it is still the same; true when there was something to kill.
    pub fn kill(&self) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid), Signal::SIGKILL).is_ok()
    }
}

fn host_boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The fields after the command's name, which may itself hold blanks and parentheses.
fn stat_fields(pid: i32) -> io::Result<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

fn start_ticks(pid: i32) -> io::Result<u64> {
    stat_fields(pid)?.get(19).and_then(|f| f.parse().ok()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has no start time"))
    })
}

fn is_zombie(pid: i32) -> bool {
    stat_fields(pid).is_ok_and(|f| f.first().is_some_and(|state| state == "Z"))
}

/// Waits until `done` or the deadline; true when it is done. For the few places without a runtime.
#[expect(clippy::disallowed_methods, reason = "polls a predicate with a deadline, outside of any runtime")]
pub fn poll_until(deadline: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + deadline;
    loop {
        if done() {
            return true;
        }
        if std::time::Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_that_was_reused_is_somebody_else() {
        let me = Process::this().unwrap();
        assert!(me.is_alive());
        let stranger = Process { start_ticks: me.start_ticks + 1, ..me.clone() };
        assert!(!stranger.is_alive());
        assert!(!stranger.kill(), "a stranger must not be killed");
        let last_boot = Process { host_boot: "another".into(), ..me };
        assert!(!last_boot.is_alive());
    }

    #[test]
    fn a_dead_process_is_dead_also_as_a_zombie() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id().cast_signed()).unwrap();
        assert!(process.kill());
        assert!(poll_until(Duration::from_secs(5), || !process.is_alive()));
        child.wait().unwrap();
        assert!(!process.is_alive());
    }
}
