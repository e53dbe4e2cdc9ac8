//! A whole process: this test binary runs itself as a role and watches what becomes of it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use kit::run::{self, Failure, Process};
use kit::telemetry::{LogConfig, LogFormat};

/// How long a child may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Which role the child plays. Unset in an ordinary test run.
const PLAY: &str = "KIT_TEST_ROLE";

/// Not a test: the role itself, in the child.
#[test]
#[ignore = "runs only as the child process of the other tests"]
fn the_role() {
    let Ok(play) = std::env::var(PLAY) else { return };
    let log = LogConfig { format: LogFormat::Json, filter: "info".into(), ..LogConfig::default() };
    let code = run::main("tester", &log, async |process| body(&play, process).await);
    let number = (0..=255).find(|n| ExitCode::from(*n) == code).unwrap();
    std::process::exit(number.into());
}

async fn body(play: &str, process: Process) -> Result<(), Failure> {
    let tasks = process.context.tasks().clone();
    match play {
        "serve" => {}
        "bad configuration" => return Err(Failure::config("raft.election is too short: raise it")),
        "dead disk" => return Err(Failure::storage("segment 7 is damaged at offset 512")),
        "stuck start" => std::future::pending().await,
        "critical" => tasks.spawn_critical("replication", async { Err("the peer set is empty") }),
        "storage" => tasks.fail_storage("fdatasync failed: EIO"),
        "panic" => tasks.spawn(async { panic!("index out of bounds") }),
        "panic in a thread" => process.context.blocking(|| panic!("bad state")).await.unwrap_or(()),
        "reload" => process.on_reload(|| tracing::info!("read the files again")),
        "never drains" => tasks.spawn_draining(std::future::pending()),
        "dead part" => process.health.live("apply").fail("no progress for 60s"),
        other => panic!("no such play: {other}"),
    }
    Ok(())
}

/// A running child and the socket on which it talks to its service manager.
struct Role {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    manager: UnixDatagram,
    /// Kills a child that outstays the test's patience; dropped, it lets go.
    _leash: mpsc::Sender<()>,
    _dir: tempfile::TempDir,
}

impl Role {
    fn start(play: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("notify");
        let manager = UnixDatagram::bind(&socket).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "role::the_role", "--ignored", "--nocapture"])
            .env(PLAY, play)
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "300000")
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { _leash: leash(child.id()), child, log, manager, _dir: dir }
    }

    /// The next message to the service manager that is no keep-alive.
    fn told(&self) -> String {
        loop {
            let message = self.heard();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn heard(&self) -> String {
        let mut message = [0; 4096];
        let n = self.manager.recv(&mut message).expect("a message before the deadline");
        String::from_utf8_lossy(&message[..n]).trim().to_owned()
    }

    fn kill(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    /// Reads the log up to a line that holds `wanted`.
    fn log_until(&mut self, wanted: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(wanted) {
            assert!(self.log.read_line(&mut seen).unwrap() > 0, "the log ends without {wanted:?}: {seen}");
        }
        seen
    }

    /// How it ended, and the rest of its log.
    fn end(&mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn leash(child: u32) -> mpsc::Sender<()> {
    let (holder, held) = mpsc::channel();
    std::thread::spawn(move || {
        if held.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            Command::new("kill").args(["-KILL", &child.to_string()]).status().unwrap();
        }
    });
    holder
}

#[test]
fn it_tells_when_it_is_ready_and_ends_when_asked() {
    for signal in ["-TERM", "-INT"] {
        let mut role = Role::start("serve");
        assert_eq!(role.told(), "READY=1");
        role.kill(signal);
        assert_eq!(role.told(), "STOPPING=1");
        let (status, log) = role.end();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("\"message\":\"ready\"") && log.contains("\"message\":\"stopped\""), "{log}");
    }
}

#[test]
fn exit_codes_mean_something() {
    for (play, code, why) in [
        ("bad configuration", 78, "raft.election is too short: raise it"),
        ("dead disk", 74, "segment 7 is damaged at offset 512"),
        ("critical", 1, "replication failed: the peer set is empty"),
        ("storage", 74, "fdatasync failed: EIO"),
    ] {
        let (status, log) = Role::start(play).end();
        assert_eq!(status.code(), Some(code), "{play}: {log}");
        assert!(log.contains(why), "{play}: {log}");
    }
}

#[test]
fn a_panic_anywhere_ends_the_process_with_a_trace() {
    for (play, message) in [("panic", "index out of bounds"), ("panic in a thread", "bad state")] {
        let (status, log) = Role::start(play).end();
        assert_eq!(status.signal(), Some(6), "{play}: {log}");
        assert!(
            log.contains(message) && log.contains("role.rs") && log.contains("\"level\":\"ERROR\""),
            "{log}"
        );
    }
}

#[test]
fn a_hangup_reloads() {
    let mut role = Role::start("reload");
    assert_eq!(role.told(), "READY=1");
    role.kill("-HUP");
    let reloading = role.told();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(role.told(), "READY=1");
    role.log_until("read the files again");
    role.kill("-TERM");
    assert_eq!(role.end().0.code(), Some(0));
}

#[test]
fn a_start_that_hangs_can_be_stopped() {
    let mut role = Role::start("stuck start");
    role.log_until("starting");
    role.kill("-TERM");
    assert_eq!(role.end().0.code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut role = Role::start("never drains");
    assert_eq!(role.told(), "READY=1");
    role.kill("-TERM");
    assert_eq!(role.told(), "STOPPING=1");
    role.log_until("stopping; once more");
    role.kill("-TERM");
    let (status, log) = role.end();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("stopping at once"), "{log}");
}

#[test]
fn the_watchdog_is_fed_only_while_it_is_alive() {
    let mut role = Role::start("serve");
    assert_eq!(role.told(), "READY=1");
    assert_eq!((role.heard(), role.heard()), ("WATCHDOG=1".into(), "WATCHDOG=1".into()));
    role.kill("-TERM");
    role.end();
    let mut role = Role::start("dead part");
    assert_eq!(role.told(), "READY=1");
    let log = role.log_until("the watchdog is left to bite");
    assert!(log.contains("no progress for 60s"), "{log}");
    role.kill("-TERM");
    assert_eq!(role.heard(), "STOPPING=1", "a dead part was reported as alive");
    role.end();
}
