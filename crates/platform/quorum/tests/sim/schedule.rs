//! What goes wrong, and when: drawn from the seed before the run begins.

use std::time::Duration;

use kit::entropy::Entropy;

/// A fault or its end.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Crash(String),
    Restart(String),
    Partition(String, String),
    OneWay(String, String),
    Heal(String, String),
    /// Messages wait, then arrive all at once.
    Hold(String, String),
    Release(String, String),
    Skew(String, i64),
    /// The next sync of this machine's disk fails.
    FailSync(String),
}

/// Events in the order of their time.
pub(crate) fn draw(seed: u64, names: &[String], length: Duration) -> Vec<(Duration, Event)> {
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
