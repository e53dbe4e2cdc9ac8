//! A process called `etcd`, its log and its end.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::time::Duration;

use tokio::time::{Instant, sleep};

const PATIENCE: Duration = Duration::from_secs(30);
/// How etcd says that it serves.
const READY: &str = "\"msg\":\"ready to serve client requests\"";

/// The binary, under the name by which it takes etcd's place.
pub(crate) fn program(dir: &Path) -> Command {
    let link = dir.join("etcd");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_ultracloud"), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.current_dir(dir).env_clear();
    command
}

/// Runs it to its end.
pub(crate) fn ended(dir: &Path, flags: &[&str]) -> Output {
    program(dir).args(flags).output().unwrap()
}

/// Ports that are free now; all held until the last is known.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A member that runs; killed when it is dropped.
pub(crate) struct Member {
    child: Child,
    log: PathBuf,
}

impl Member {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it says that it serves.
    pub(crate) async fn ready(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(READY) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}): {}", self.log());
            assert!(Instant::now() < deadline, "it never served: {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to end, and waits: beside its clients, who must hear of it.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
