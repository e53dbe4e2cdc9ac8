//! Waits for every child of the node's agent: those it started and, where it is the first process, the
//! orphans it inherits.

use std::collections::HashMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::node::unit::Exit;

/// Who waits for whom. Nothing else in this process may wait for a child.
#[derive(Debug, Default)]
pub struct Reaper {
    waiting: Mutex<HashMap<i32, oneshot::Sender<Exit>>>,
}

impl Reaper {
    /// Starts a process whose end will be told.
    pub fn spawn(&self, command: &mut Command) -> io::Result<(Child, oneshot::Receiver<Exit>)> {
        // Held over the spawn: a process that ends at once is reaped after somebody waits for it.
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.spawn()?;
        let (tell, told) = oneshot::channel();
        waiting.insert(child.id().cast_signed(), tell);
        Ok((child, told))
    }

    /// Reaps until the node ends.
    pub async fn run(&self) -> io::Result<()> {
        let mut children = signal(SignalKind::child())?;
        loop {
            self.reap();
            if children.recv().await.is_none() {
                return Ok(());
            }
        }
    }

    fn reap(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (pid, exit) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit { code: Some(code), signal: None }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    (pid, Exit { code: None, signal: Some(signal as i32) })
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
            tell(&mut waiting, pid, exit);
        }
    }
}

fn tell(waiting: &mut HashMap<i32, oneshot::Sender<Exit>>, pid: Pid, exit: Exit) {
    if let Some(tell) = waiting.remove(&pid.as_raw()) {
        // Nobody listens any more: nobody wants to know.
        let _ = tell.send(exit);
    }
}
