//! What is wrong with each directed link.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::core::PortId;

/// What happens to the frames from one node to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// The share of frames that vanish, 0.0 to 1.0.
    pub loss: f64,
    /// Added to every frame.
    pub delay: Duration,
    /// Added on top, at random between nothing and this; frames may overtake each other.
    pub jitter: Duration,
}

impl Link {
    /// A link that passes nothing.
    pub const CUT: Self = Self { cut: true, loss: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO };

    /// Whether it is as good as new.
    pub fn is_sound(&self) -> bool {
        !self.cut && self.loss <= 0.0 && self.delay.is_zero() && self.jitter.is_zero()
    }
}

/// The faults of every pair of ports, each direction for itself.
#[derive(Clone, Debug)]
pub struct Faults {
    ports: usize,
    links: Vec<Link>,
}

impl Faults {
    /// No faults among so many ports.
    pub fn new(ports: usize) -> Self {
        Self { ports, links: vec![Link::default(); ports * ports] }
    }

    /// How many ports there are.
    pub fn ports(&self) -> usize {
        self.ports
    }

    /// What happens from one port to another.
    pub fn link(&self, from: PortId, to: PortId) -> Link {
        self.links[from * self.ports + to]
    }

    /// Replaces it.
    pub fn set(&mut self, from: PortId, to: PortId, link: Link) {
        self.links[from * self.ports + to] = link;
    }

    /// Removes every fault.
    pub fn heal(&mut self) {
        self.links.fill(Link::default());
    }

    /// Whether some link out of this port loses frames.
    pub fn loses_from(&self, from: PortId) -> bool {
        (0..self.ports).any(|to| self.link(from, to).loss > 0.0)
    }
}
