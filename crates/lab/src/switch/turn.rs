//! The switch's thread: it waits for frames and moves them, a batch from each port at a time.

use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use tokio::time::Instant;

use super::core::PortId;
use super::link::{Passage, Verdict};
use super::port::Port;
use super::{LARGEST_FRAME, Shared, State, WAKE, interest, tap};

/// Frames read from one port before the next one has its turn.
const BATCH: usize = 64;

/// Works until the switch is dropped.
pub(super) fn run(shared: &Shared) {
    let mut events = [EpollEvent::empty(); 64];
    let mut turn = Turn::default();
    let mut timeout = EpollTimeout::NONE;
    loop {
        let ready = match shared.epoll.wait(&mut events, timeout) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => continue,
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
                Ok(port) if event.data() != WAKE => turn.note(&mut state, port, event.events()),
                _ => {
                    let _ = shared.wake.read();
                }
            }
        }
        turn.read(&mut state, &shared.epoll);
        state.deliver_due();
        state.settle(&shared.epoll);
        timeout = match turn.readable.is_empty() {
            true => state.queue.timeout(Instant::now()),
            false => EpollTimeout::ZERO,
        };
    }
}

/// What the thread keeps from turn to turn.
#[derive(Default)]
struct Turn {
    scratch: Scratch,
    /// Ports to read from: epoll named them, or they had more than a batch the last time.
    readable: Vec<PortId>,
}

/// Room for the frame at hand.
struct Scratch {
    frame: Vec<u8>,
    damaged: Vec<u8>,
    verdicts: Vec<(PortId, Verdict)>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { frame: vec![0; LARGEST_FRAME], damaged: Vec::new(), verdicts: Vec::new() }
    }
}

impl Turn {
    fn note(&mut self, state: &mut State, port: PortId, events: EpollFlags) {
        if events.contains(EpollFlags::EPOLLOUT)
            && let Some(Some(port)) = state.ports.get_mut(port)
        {
            port.flush();
        }
        // Errors and hang-ups too: reading tells which.
        if events != EpollFlags::EPOLLOUT {
            self.readable.push(port);
        }
    }

    fn read(&mut self, state: &mut State, epoll: &Epoll) {
        self.readable.sort_unstable();
        self.readable.dedup();
        let Self { scratch, readable } = self;
        readable.retain(|port| {
            if !state.drain(*port, scratch) {
                state.pull(epoll, *port);
            }
            matches!(&state.ports[*port], Some(port) if port.holds_frame())
        });
    }
}

impl State {
    /// Reads a batch of what a port has; false when the port is dead.
    fn drain(&mut self, from: PortId, scratch: &mut Scratch) -> bool {
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get_mut(from) else { return true };
            match port.receive(&mut scratch.frame) {
                Ok(Some(size)) => self.switch(from, size, scratch),
                Ok(None) => return true,
                Err(e) => {
                    tracing::info!("the cable of {} is gone: {e}", port.name());
                    return false;
                }
            }
        }
        true
    }

    fn switch(&mut self, from: PortId, size: usize, scratch: &mut Scratch) {
        let Scratch { frame, damaged, verdicts } = scratch;
        let framed = &frame[..size];
        verdicts.clear();
        let now = Instant::now();
        self.core.forward(from, &framed[tap::HEADER..], now, verdicts);
        for (to, verdict) in verdicts.drain(..) {
            let Some(Some(port)) = self.ports.get_mut(to) else { continue };
            let given_up = match verdict {
                Verdict::Pass(passage) => match copy(port, framed, passage, damaged) {
                    Some(copy) => {
                        self.carry(from, to, copy, passage.due);
                        continue;
                    }
                    None => &mut port.counters.unfinished,
                },
                Verdict::Cut => &mut port.counters.cut,
                Verdict::Lost => &mut port.counters.lost,
                Verdict::Overflowed => &mut port.counters.overflowed,
            };
            *given_up += 1;
            self.captures.record(from, to, &framed[tap::HEADER..], false);
        }
    }

    /// Hands a copy over, now or when it is due.
    fn carry(&mut self, from: PortId, to: PortId, framed: &[u8], due: Option<Instant>) {
        let Some(Some(port)) = self.ports.get_mut(to) else { return };
        let arrived = match due {
            None => port.send(framed),
            Some(due) if self.queue.push(due, from, to, framed) => return,
            Some(_) => {
                port.counters.overflowed += 1;
                false
            }
        };
        self.captures.record(from, to, &framed[tap::HEADER..], arrived);
    }

    fn deliver_due(&mut self) {
        let now = Instant::now();
        while let Some((from, to, framed)) = self.queue.pop_due(now) {
            self.carry(from, to, &framed, None);
        }
    }

    /// Pulls the ports that nobody reads any more, and has epoll watch for room where frames wait.
    fn settle(&mut self, epoll: &Epoll) {
        for id in 0..self.ports.len() {
            let Some(port) = &mut self.ports[id] else { continue };
            if port.is_broken() {
                tracing::info!("the cable of {} is gone: nobody reads it", port.name());
                self.pull(epoll, id);
            } else if port.is_waiting() != port.watched_for_room {
                let mut event = EpollEvent::new(interest(port.is_waiting()), id as u64);
                match epoll.modify(port.as_fd(), &mut event) {
                    Ok(()) => port.watched_for_room = port.is_waiting(),
                    Err(e) => tracing::warn!("cannot wait for room on the cable of {}: {e}", port.name()),
                }
            }
        }
    }
}

/// The copy of a frame that goes to a port; none when it cannot be made.
pub(super) fn copy<'a>(
    port: &mut Port,
    framed: &'a [u8],
    passage: Passage,
    damaged: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    let counters = &mut port.counters;
    if passage.flipped.is_some() && !tap::is_finished(framed) {
        // It was under way when its sender's offloads were switched off. The receiver would make the
        // checksum of the damaged frame and believe it.
        return None;
    }
    counters.duplicated += u64::from(passage.duplicate);
    counters.reordered += u64::from(passage.held_back);
    let Some(bit) = passage.flipped else { return Some(framed) };
    counters.corrupted += 1;
    damaged.clear();
    damaged.extend_from_slice(framed);
    // Also what the sender's kernel knows of the checksum is no longer true.
    damaged[..tap::HEADER].fill(0);
    damaged[tap::HEADER + bit / 8] ^= 1 << (bit % 8);
    Some(damaged)
}
