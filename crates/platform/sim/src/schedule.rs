//! What goes wrong, and when: drawn from the seed before the run begins.

use std::time::Duration;

use kit::entropy::Entropy;

/// A fault or its end.
#[derive(Clone, Debug)]
pub enum Event {
    /// A machine loses its power.
    Crash(String),
    /// It comes back.
    Restart(String),
    /// Two machines cannot reach each other.
    Partition(String, String),
    /// The first cannot reach the second.
    OneWay(String, String),
    /// They can again.
    Heal(String, String),
    /// Messages wait, then arrive all at once.
    Hold(String, String),
    /// They arrive.
    Release(String, String),
    /// A machine's wall clock is off by milliseconds.
    Skew(String, i64),
    /// The next sync of this machine's disk fails.
    FailSync(String),
}

impl Event {
    /// Carries out what the network alone is concerned by. Says whether it was that.
    pub fn on_network(&self, sim: &turmoil::Sim<'_>) -> bool {
        match self {
            Self::Partition(a, b) => sim.partition(a.as_str(), b.as_str()),
            Self::OneWay(a, b) => sim.partition_oneway(a.as_str(), b.as_str()),
            Self::Heal(a, b) => sim.repair(a.as_str(), b.as_str()),
            Self::Hold(a, b) => sim.hold(a.as_str(), b.as_str()),
            Self::Release(a, b) => sim.release(a.as_str(), b.as_str()),
            _ => return false,
        }
        true
    }
}

/// Lets every message between these machines through again.
pub fn heal(sim: &turmoil::Sim<'_>, names: &[String]) {
    for a in names {
        for b in names.iter().filter(|b| *b != a) {
            sim.release(a.as_str(), b.as_str());
            sim.repair(a.as_str(), b.as_str());
        }
    }
}

/// Events in the order of their time.
pub fn draw(seed: u64, names: &[String], length: Duration) -> Vec<(Duration, Event)> {
    let entropy = Entropy::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut events = Vec::new();
    let mut at = Duration::from_secs(2);
    loop {
        at += Duration::from_millis(200) + entropy.jitter(Duration::from_millis(1800));
        if at >= length {
            break;
        }
        let length = Duration::from_millis(50) + entropy.jitter(Duration::from_millis(3000));
        fault(&entropy, names, at, at + length, &mut events);
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

fn fault(
    entropy: &Entropy,
    names: &[String],
    from: Duration,
    to: Duration,
    events: &mut Vec<(Duration, Event)>,
) {
    let pick = || names[entropy.below(names.len() as u64) as usize].clone();
    let (a, b) = (pick(), pick());
    let others = || names.iter().filter(|n| **n != a).cloned();
    match entropy.below(10) {
        0..3 => {
            events.push((from, Event::Crash(a.clone())));
            events.push((to, Event::Restart(a)));
        }
        3..5 => {
            events.extend(others().map(|other| (from, Event::Partition(a.clone(), other))));
            events.extend(others().map(|other| (to, Event::Heal(a.clone(), other))));
        }
        5 if a != b => {
            events.push((from, Event::Partition(a.clone(), b.clone())));
            events.push((to, Event::Heal(a, b)));
        }
        6 if a != b => {
            events.push((from, Event::OneWay(a.clone(), b.clone())));
            events.push((to, Event::Heal(a, b)));
        }
        7 if a != b => {
            events.push((from, Event::Hold(a.clone(), b.clone())));
            events.push((to, Event::Release(a, b)));
        }
        8 => events.push((from, Event::Skew(a, entropy.below(20_000) as i64 - 10_000))),
        9 => events.push((from, Event::FailSync(a))),
        _ => {}
    }
}
