//! The switch's thread: it waits for frames and moves them, a batch from each port at a time.

use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags, EpollTimeout};
use tokio::time::Instant;

use super::core::{PortId, Verdict};
use super::{LARGEST_FRAME, Shared, State, WAKE, interest, tap};

/// Frames read from one port before the next one has its turn.
const BATCH: usize = 64;

/// Works until the switch is dropped.
pub(super) fn run(shared: &Shared) {
    let mut events = [EpollEvent::empty(); 64];
    let mut turn = Turn { frame: vec![0; LARGEST_FRAME], verdicts: Vec::new(), readable: Vec::new() };
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
struct Turn {
    frame: Vec<u8>,
    verdicts: Vec<(PortId, Verdict)>,
    /// Ports to read from: epoll named them, or they had more than a batch the last time.
    readable: Vec<PortId>,
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
        let Self { frame, verdicts, readable } = self;
        readable.retain(|port| {
            if !state.drain(*port, frame, verdicts) {
                state.pull(epoll, *port);
            }
            matches!(&state.ports[*port], Some(port) if port.holds_frame())
        });
    }
}

impl State {
    /// Reads a batch of what a port has; false when the port is dead.
    fn drain(&mut self, from: PortId, frame: &mut [u8], verdicts: &mut Vec<(PortId, Verdict)>) -> bool {
        for _ in 0..BATCH {
            let Some(Some(port)) = self.ports.get_mut(from) else { return true };
            match port.receive(frame) {
                Ok(Some(size)) => self.switch(from, &frame[..size], verdicts),
                Ok(None) => return true,
                Err(e) => {
                    tracing::info!("the cable of {} is gone: {e}", port.name());
                    return false;
                }
            }
        }
        true
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
