//! The lab's own layer-2 switch: one thread, every node a port, every fault a rule.
//!
//! It learns addresses, floods what it does not know, and does to each frame what the faults say for
//! its directed link: pass, cut, lose, duplicate, corrupt, delay, reorder. [`core`] and [`link`] decide
//! and are pure; [`turn`] moves bytes.
//! Nothing of it is visible in the host's network.
//!
//! Offloads: a tap port carries the kernel's virtio-net header, so a 64 KiB segment crosses as one
//! frame and unfinished checksums stay unfinished. That is a capability of the port, not of the
//! switch: the header is cut off before [`core`] sees the frame and travels beside it. Most
//! faults are meant per packet, so while a link out of a port has such a one, that port's offloads are
//! off and its node segments by itself; cuts and delays act on whole segments, where that makes no
//! difference. A flipped bit needs it for another reason too: a checksum that the receiver makes would
//! be right for the damaged frame.
//! A machine's cable ([`stream`]) has no such header, so while one is plugged in, all offloads are off.

mod capture;
pub mod core;
pub mod faults;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod link;
mod port;
mod queue;
mod stream;
pub mod tap;
#[cfg(test)]
mod tests;
mod turn;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use self::capture::Captures;
use self::core::{Core, PortId};
use self::faults::{Faults, Link};
use self::port::{Counters, Port};
use self::queue::Queue;

/// A 64 KiB segment, its headers and the virtio-net header.
const LARGEST_FRAME: usize = 66 << 10;

/// The wake-up descriptor's token; ports count from zero.
const WAKE: u64 = u64::MAX;

/// A node's cable; this is the switch's end of it.
#[derive(Debug)]
pub enum Cable {
    /// A tap that carries virtio-net headers, non-blocking.
    Tap(OwnedFd),
    /// A connected stream socket of QEMU's framing: a length before each frame, no header.
    Stream(OwnedFd),
}

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
    captures: Captures,
    /// Of the nodes whose cables are or were plugged in, by port.
    names: Vec<String>,
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
            captures: Captures::new(ports),
            names: vec![String::new(); ports],
            stopping: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), epoll, wake });
        let moved = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("switch".to_owned()).spawn(move || turn::run(&moved))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Plugs a node's cable in. The port's earlier one, if any, is dropped.
    pub fn plug(&self, port: PortId, name: &str, cable: Cable) -> io::Result<()> {
        let plugged = Port::new(name, cable)?;
        let mut state = self.lock();
        state.pull(&self.shared.epoll, port);
        self.shared.epoll.add(plugged.as_fd(), EpollEvent::new(interest(false), port as u64))?;
        state.ports[port] = Some(plugged);
        name.clone_into(&mut state.names[port]);
        state.set_offloads();
        Ok(())
    }

    /// Pulls a node's plug.
    pub fn unplug(&self, port: PortId) {
        self.lock().pull(&self.shared.epoll, port);
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
        ports.map(|p| PortReport { name: p.name().to_owned(), counters: p.counters }).collect()
    }

    /// The last frames of every pair of nodes as pcap files: `node01-node02` is what arrived,
    /// `node01-node02-dropped` what did not. Nodes that are off keep theirs.
    pub fn captures(&self) -> Vec<(String, Vec<u8>)> {
        let state = self.lock();
        state.captures.files(&state.names)
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
    fn pull(&mut self, epoll: &Epoll, port: PortId) {
        if let Some(old) = self.ports[port].take() {
            // It may be gone with its namespace; then epoll has forgotten it already.
            let _ = epoll.delete(old.as_fd());
        }
        self.core.forget(port);
        self.queue.forget(port);
        self.set_offloads();
    }

    fn set_offloads(&mut self) {
        let headers_for_all = self.ports.iter().flatten().all(Port::carries_headers);
        for (id, port) in self.ports.iter_mut().enumerate() {
            if let Some(port) = port {
                port.set_offloads(headers_for_all && !self.core.faults().per_packet_from(id));
            }
        }
    }
}

/// What epoll watches a port for.
fn interest(room: bool) -> EpollFlags {
    if room { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
}
