//! A member in a process of its own, whose memory can be looked at: this test binary, started once more.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use etcd_client::Client;
use tempfile::TempDir;

use crate::world::{World, eventually};

/// Where the process writes its address.
const ADDRESS: &str = "CHAINFIRE_TEST_ADDRESS_FILE";

/// Killed when it is dropped.
pub(crate) struct Member {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Member {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("address");
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::the_member_itself", "--nocapture"])
            .env(ADDRESS, &file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = None;
        eventually("the member serves", async || {
            address = fs::read_to_string(&file).ok().and_then(|text| text.parse().ok());
            address.is_some()
        })
        .await;
        Self { child, address: address.unwrap(), _dir: dir }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect([format!("http://{}", self.address)], None).await.unwrap()
    }

    /// Bytes of it in RAM.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed. In a test run of its own it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_member_itself() {
    let Ok(file) = std::env::var(ADDRESS) else { return };
    let world = World::new().await;
    let draft = format!("{file}.draft");
    fs::write(&draft, world.address().to_string()).unwrap();
    fs::rename(&draft, Path::new(&file)).unwrap();
    std::future::pending::<()>().await;
}
