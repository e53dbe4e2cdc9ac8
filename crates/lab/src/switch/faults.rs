//! What is wrong with each directed link.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::core::PortId;

/// How much later than its turn a frame arrives that is held back.
pub const HELD_BACK: Duration = Duration::from_millis(10);

/// What may wait for a link's rate, in bytes, as in a small switch; what comes on top is lost.
pub const RATE_BUFFER: usize = 256 << 10;

/// Of a delay and of a jitter: longer is a mistake in units.
const LONGEST: Duration = Duration::from_hours(1);

/// What happens to the frames from one node to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Nothing passes.
    pub cut: bool,
    /// The share of frames that vanish, 0.0 to 1.0.
    pub loss: f64,
    /// The share of frames that arrive twice, 0.0 to 1.0.
    pub duplicate: f64,
    /// The share of frames in which one bit flips beyond the Ethernet header, 0.0 to 1.0. The checksums
    /// of IPv4, UDP and TCP find it and the receiver drops the frame; ARP has none and may be misled.
    pub corrupt: f64,
    /// The share of frames that arrive [`HELD_BACK`] after their turn, 0.0 to 1.0: those that are sent
    /// meanwhile overtake them.
    pub reorder: f64,
    /// Added to every frame.
    pub delay: Duration,
    /// Added on top, at random between nothing and this; frames may overtake each other.
    pub jitter: Duration,
    /// Bytes a second that the link carries, Ethernet headers included. At most [`RATE_BUFFER`] waits.
    pub rate: Option<u64>,
}

impl Link {
    /// A link as good as new.
    pub const SOUND: Self = Self {
        cut: false,
        loss: 0.0,
        duplicate: 0.0,
        corrupt: 0.0,
        reorder: 0.0,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        rate: None,
    };

    /// A link that passes nothing.
    pub const CUT: Self = Self { cut: true, ..Self::SOUND };

    /// Whether it is as good as new.
    pub fn is_sound(&self) -> bool {
        *self == Self::SOUND
    }

    /// Whether it does something that is meant for packets: a segment of 64 KiB must not count as one.
    pub fn is_per_packet(&self) -> bool {
        self.shares().iter().any(|(_, share)| *share > 0.0) || self.rate.is_some()
    }

    /// Whether its numbers are possible.
    pub fn check(&self) -> Result<(), String> {
        for (name, share) in self.shares() {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("a {name} of {share} is not between 0 and 1"));
            }
        }
        for (name, time) in [("delay", self.delay), ("jitter", self.jitter)] {
            if time > LONGEST {
                return Err(format!(
                    "a {name} of {time:?} is longer than {LONGEST:?}: say it in other units"
                ));
            }
        }
        match self.rate {
            Some(0) => Err("a rate of 0 bytes a second passes nothing: cut the link instead".to_owned()),
            _ => Ok(()),
        }
    }

    fn shares(&self) -> [(&'static str, f64); 4] {
        [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("corrupt", self.corrupt),
            ("reorder", self.reorder),
        ]
    }
}

/// For the fault log: only what is wrong.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut {
            return f.write_str("cut");
        }
        let shares = self.shares().into_iter().filter(|(_, share)| *share > 0.0);
        let mut wrong: Vec<String> =
            shares.map(|(name, share)| format!("{name} {:.1} %", share * 100.0)).collect();
        for (name, time) in [("delay", self.delay), ("jitter", self.jitter)] {
            if !time.is_zero() {
                wrong.push(format!("{name} {time:?}"));
            }
        }
        wrong.extend(self.rate.map(|rate| format!("rate {rate} B/s")));
        if wrong.is_empty() { f.write_str("sound") } else { f.write_str(&wrong.join(", ")) }
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
        Self { ports, links: vec![Link::SOUND; ports * ports] }
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
        self.links.fill(Link::SOUND);
    }

    /// Whether some link out of this port does something that is meant for packets.
    pub fn per_packet_from(&self, from: PortId) -> bool {
        (0..self.ports).any(|to| self.link(from, to).is_per_packet())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_numbers_are_refused() {
        assert_eq!(Link::CUT.check(), Ok(()));
        let whole = Link { loss: 1.0, duplicate: 1.0, corrupt: 1.0, reorder: 1.0, ..Link::SOUND };
        assert_eq!(whole.check(), Ok(()));
        let wrong = [
            (Link { loss: 1.5, ..Link::SOUND }, "loss of 1.5"),
            (Link { duplicate: -0.1, ..Link::SOUND }, "duplicate of -0.1"),
            (Link { corrupt: f64::NAN, ..Link::SOUND }, "corrupt of NaN"),
            (Link { reorder: 5.0, ..Link::SOUND }, "reorder of 5"),
            (Link { delay: Duration::MAX, ..Link::SOUND }, "delay"),
            (Link { jitter: Duration::from_secs(4000), ..Link::SOUND }, "jitter of 4000s"),
            (Link { rate: Some(0), ..Link::SOUND }, "rate of 0"),
        ];
        for (link, word) in wrong {
            let why = link.check().unwrap_err();
            assert!(why.contains(word), "{why}");
            assert!(!link.is_sound());
        }
    }

    #[test]
    fn the_fault_log_says_what_is_wrong_and_no_more() {
        assert_eq!(Link::default().to_string(), "sound");
        assert_eq!(Link::CUT.to_string(), "cut");
        let slow = Link { loss: 0.05, delay: Duration::from_millis(15), rate: Some(1000), ..Link::SOUND };
        assert_eq!(slow.to_string(), "loss 5.0 %, delay 15ms, rate 1000 B/s");
    }

    #[test]
    fn what_an_older_client_does_not_say_is_sound() {
        let link: Link = serde_json::from_str(r#"{"loss": 0.5}"#).unwrap();
        assert_eq!(link, Link { loss: 0.5, ..Link::SOUND });
        assert!(serde_json::from_str::<Link>(r#"{"los": 0.5}"#).is_err());
    }
}
