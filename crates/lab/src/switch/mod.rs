//! The lab's own layer-2 switch: one thread, every node a port, every fault a rule.
//!
//! It learns addresses, floods what it does not know, and does to each frame what the faults say for
//! its directed link: pass, cut, lose, delay. [`core`] decides and is pure; this file moves bytes.
//! Nothing of it is visible in the host's network.
//!
//! Offloads: a tap port carries the kernel's virtio-net header, so a 64 KiB segment crosses as one
//! frame and unfinished checksums stay unfinished. That is a capability of the port, not of the
//! switch: the header is cut off before [`core`] sees the frame and travels beside it. A loss is
//! meant per packet, so while a link out of a port loses frames, that port's offloads are off and its
//! node segments by itself; cuts and delays act on whole segments, where that makes no difference.

pub mod core;
pub mod faults;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod port;
mod queue;
pub mod tap;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::time::Instant;

use self::core::{Core, PortId, Verdict};
use self::faults::{Faults, Link};
use self::port::{Counters, Port};
use self::queue::Queue;

/// Frames read from one port before the next one has its turn.
const BATCH: usize = 64;

/// A 64 KiB segment, its headers and the virtio-net header.
const LARGEST_FRAME: usize = 66 << 10;

/// The wake-up descriptor's token; ports count from zero.
const WAKE: u64 = u64::MAX;

/// A running switch. It stops when this is dropped.
#[derive(Debug)]
pub struct Switch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    epoll: Epoll,
    wake: EventFd,
}

#[derive(Debug)]
struct State {
    core: Core,
    ports: Vec<Option<Port>>,
    queue: Queue,
    stopping: bool,
}

/// What a port has seen, for `status` and the evidence.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct PortReport {
    /// The port's node.
    pub name: String,
    /// Its counters.
    #[serde(flatten)]
    pub counters: Counters,
}

impl Switch {
    /// Starts a switch for at most `ports` nodes.
    pub fn start(ports: usize, seed: u64) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let state = State {
            core: Core::new(Faults::new(ports), seed),
            ports: (0..ports).map(|_| None).collect(),
            queue: Queue::default(),
            stopping: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), epoll, wake });
        let moved = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("switch".to_owned()).spawn(move || run(&moved))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Plugs a node's tap in. The port's earlier tap, if any, is dropped.
    pub fn plug(&self, port: PortId, name: &str, tap: OwnedFd) -> io::Result<()> {
        let mut state = self.lock();
        self.pull(&mut state, port);
        self.shared.epoll.add(tap.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, port as u64))?;
        state.ports[port] = Some(Port::new(name, tap));
        state.set_offloads();
        Ok(())
    }

    /// Pulls a node's plug.
    pub fn unplug(&self, port: PortId) {
        let mut state = self.lock();
        self.pull(&mut state, port);
    }

    fn pull(&self, state: &mut State, port: PortId) {
        if let Some(old) = state.ports[port].take() {
            // It may be gone with its namespace; then epoll has forgotten it already.
            let _ = self.shared.epoll.delete(old.tap());
        }
        state.core.forget(port);
        state.queue.forget(port);
    }

    /// Replaces what is done to frames from one port to another.
    pub fn set_link(&self, from: PortId, to: PortId, link: Link) {
        let mut state = self.lock();
        state.core.faults_mut().set(from, to, link);
        state.set_offloads();
    }

    /// Removes every fault. What was delayed still arrives in its time.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.core.faults_mut().heal();
        state.set_offloads();
    }

    /// Every plugged port and its counters.
    pub fn report(&self) -> Vec<PortReport> {
        let state = self.lock();
        let ports = state.ports.iter().flatten();
        ports.map(|p| PortReport { name: p.name().to_owned(), counters: p.counters() }).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.lock().stopping = true;
        let _ = self.shared.wake.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_offloads(&mut self) {
        for (id, port) in self.ports.iter_mut().enumerate() {
            if let Some(port) = port {
                port.set_offloads(!self.core.faults().loses_from(id));
            }
        }
    }
}

fn run(shared: &Shared) {
    let mut frame = vec![0; LARGEST_FRAME];
    let mut verdicts = Vec::new();
    let mut events = [EpollEvent::empty(); 64];
    let mut timeout = EpollTimeout::NONE;
    loop {
        let ready = match shared.epoll.wait(&mut events, timeout) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(e) => {
                tracing::error!("the switch cannot wait for frames: {e}");
                return;
            }
        };
        let mut state = shared.lock();
        if state.stopping {
            return;
        }
        for event in &events[..ready] {
            match usize::try_from(event.data()) {
                Ok(port) if event.data() != WAKE => {
                    if !state.drain(port, &mut frame, &mut verdicts) {
                        state.drop_port(shared, port);
                    }
                }
                _ => {
                    let _ = shared.wake.read();
                }
            }
        }
        state.deliver_due();
        timeout = state.queue.timeout(Instant::now());
    }
}

impl State {
    /// Reads what a port has; false when the port is dead.
    fn drain(&mut self, from: PortId, frame: &mut [u8], verdicts: &mut Vec<(PortId, Verdict)>) -> bool {
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get_mut(from) else { return true };
            match port.receive(frame) {
                Ok(Some(size)) => self.switch(from, &frame[..size], verdicts),
                Ok(None) => return true,
                Err(e) => {
                    tracing::debug!("port {from} is gone: {e}");
                    return false;
                }
            }
        }
        true
    }

    fn drop_port(&mut self, shared: &Shared, port: PortId) {
        if let Some(old) = self.ports[port].take() {
            let _ = shared.epoll.delete(old.tap());
        }
        self.core.forget(port);
    }

    fn switch(&mut self, from: PortId, framed: &[u8], verdicts: &mut Vec<(PortId, Verdict)>) {
        verdicts.clear();
        let now = Instant::now();
        self.core.forward(from, &framed[tap::HEADER..], now, verdicts);
        for (to, verdict) in verdicts.drain(..) {
            let Some(Some(port)) = self.ports.get_mut(to) else { continue };
            match verdict {
                Verdict::Now => port.send(framed),
                Verdict::At(due) => {
                    if !self.queue.push(due, to, framed) {
                        port.count_overflow();
                    }
                }
                Verdict::Cut => port.count_cut(),
                Verdict::Lost => port.count_lost(),
            }
        }
    }

    fn deliver_due(&mut self) {
        let now = Instant::now();
        while let Some((to, frame)) = self.queue.pop_due(now) {
            if let Some(Some(port)) = self.ports.get_mut(to) {
                port.send(&frame);
            }
        }
    }
}
