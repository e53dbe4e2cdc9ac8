//! What a directed link does to the frames that it carries. No I/O, no clock of its own.
//!
//! In the order of the wire: a cut stops all, a loss takes a frame, a duplicate makes two copies of it.
//! For each copy it is drawn whether a bit flips, whether it is held back, and its jitter; then it waits
//! until the link has sent what was before it, and travels. What is off draws nothing and every draw is
//! made before a time is looked at: the same frames meet the same fate, however fast they come.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::core::ETHERNET_HEADER;
use super::faults::{HELD_BACK, Link, RATE_BUFFER};

/// What happens to one copy of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass(Passage),
    /// The link is cut.
    Cut,
    /// The link lost it.
    Lost,
    /// Too much waits for the link's rate already.
    Overflowed,
}

/// How a copy passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// Not before that time; at once when there is none.
    pub due: Option<Instant>,
    /// The bit that is flipped on the way, counted from the frame's first.
    pub flipped: Option<usize>,
    /// It is the second copy.
    pub duplicate: bool,
    /// Later ones may overtake it.
    pub held_back: bool,
}

/// What a link remembers from frame to frame.
#[derive(Clone, Debug)]
pub(super) struct LinkState {
    /// Its own: what happens on one link does not shift what happens on another.
    random: ChaCha8Rng,
    /// When the last frame is due: without jitter nothing overtakes.
    last_due: Option<Instant>,
    /// When it has sent all that waits for its rate.
    idle_from: Option<Instant>,
}

impl LinkState {
    pub(super) fn new(seed: u64, link: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(link);
        Self { random, last_due: None, idle_from: None }
    }

    /// Nothing is under way any more.
    pub(super) fn forget(&mut self) {
        self.last_due = None;
        self.idle_from = None;
    }

    /// Decides about a frame: a verdict for each copy, at most two.
    pub(super) fn judge(
        &mut self,
        fault: &Link,
        length: usize,
        now: Instant,
    ) -> impl Iterator<Item = Verdict> + use<> {
        let mut copies = [None; 2];
        if fault.cut {
            copies[0] = Some(Verdict::Cut);
        } else if self.happens(fault.loss) {
            copies[0] = Some(Verdict::Lost);
        } else {
            let twice = self.happens(fault.duplicate);
            copies[0] = Some(self.pass(fault, length, now, false));
            copies[1] = twice.then(|| self.pass(fault, length, now, true));
        }
        copies.into_iter().flatten()
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random::<f64>() < share
    }

    fn pass(&mut self, fault: &Link, length: usize, now: Instant, duplicate: bool) -> Verdict {
        let flipped = self.flip(fault.corrupt, length);
        let held_back = self.happens(fault.reorder);
        let jitter = match fault.jitter.is_zero() {
            true => fault.jitter,
            false => fault.jitter.mul_f64(self.random.random::<f64>()),
        };
        let Some(sent) = self.transmit(fault.rate, length, now) else { return Verdict::Overflowed };
        let mut due = sent + fault.delay + jitter;
        if fault.jitter.is_zero() {
            // Also after a delay was shortened: what is under way arrives first.
            due = due.max(self.last_due.unwrap_or(now));
            if !held_back {
                self.last_due = (due > now).then_some(due);
            }
        }
        if held_back {
            due += HELD_BACK;
        }
        Verdict::Pass(Passage { due: (due > now).then_some(due), flipped, duplicate, held_back })
    }

    /// Which bit flips. None of the Ethernet header: the frame comes to whom it was sent.
    fn flip(&mut self, share: f64, length: usize) -> Option<usize> {
        let happens = self.happens(share) && length > ETHERNET_HEADER;
        happens.then(|| self.random.random_range(ETHERNET_HEADER * 8..length * 8))
    }

    /// When the link has sent a frame; `None` when there is no room to wait. An idle link takes any.
    fn transmit(&mut self, rate: Option<u64>, length: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = rate else { return Some(now) };
        let begin = self.idle_from.unwrap_or(now).max(now);
        let end = begin + sending_time(length, rate);
        if begin > now && end > now + sending_time(RATE_BUFFER, rate) {
            return None;
        }
        self.idle_from = Some(end);
        Some(end)
    }
}

/// How long so many bytes take at a rate.
pub(super) fn sending_time(bytes: usize, rate: u64) -> Duration {
    Duration::from_nanos((bytes as u64 * 1_000_000_000).div_ceil(rate.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTH: usize = 1000;

    fn passages(link: &mut LinkState, fault: &Link, length: usize, now: Instant) -> Vec<Passage> {
        let passed = |verdict| match verdict {
            Verdict::Pass(passage) => Some(passage),
            _ => None,
        };
        link.judge(fault, length, now).filter_map(passed).collect()
    }

    fn arrival(passage: &Passage, now: Instant) -> Instant {
        passage.due.unwrap_or(now)
    }

    /// The histories that were found with a seed must keep their losses.
    #[test]
    fn a_fault_that_is_off_draws_nothing() {
        let mut stream = ChaCha8Rng::seed_from_u64(7);
        stream.set_stream(3);
        let mut link = LinkState::new(7, 3);
        let slow = Link { loss: 0.3, delay: Duration::from_millis(3), rate: Some(1 << 20), ..Link::SOUND };
        let now = Instant::now();
        for _ in 0..50 {
            passages(&mut link, &Link::SOUND, LENGTH, now);
        }
        for n in 0..500 {
            let lost = stream.random::<f64>() < 0.3;
            let verdicts: Vec<_> = link.judge(&slow, LENGTH, now).collect();
            assert_eq!(verdicts == [Verdict::Lost], lost, "frame {n}: {verdicts:?}");
        }
    }

    #[test]
    fn shares_are_shares() {
        let mut link = LinkState::new(1, 0);
        let bad = Link { duplicate: 0.2, corrupt: 0.1, reorder: 0.5, ..Link::SOUND };
        let now = Instant::now();
        let all: Vec<Passage> = (0..5000).flat_map(|_| passages(&mut link, &bad, LENGTH, now)).collect();
        let count = |is: fn(&Passage) -> bool| all.iter().filter(|p| is(p)).count();
        assert!((900..1100).contains(&count(|p| p.duplicate)));
        assert!((500..700).contains(&count(|p| p.flipped.is_some())), "of 6000");
        assert!((2800..3200).contains(&count(|p| p.held_back)), "of 6000");
        let bits: std::collections::BTreeSet<_> = all.iter().filter_map(|p| p.flipped).collect();
        assert!(bits.len() > 400, "{} bits flipped", bits.len());
    }

    #[test]
    fn a_frame_that_is_held_back_is_overtaken() {
        let mut link = LinkState::new(1, 0);
        let now = Instant::now();
        let delay = Duration::from_millis(5);
        let held = Link { reorder: 1.0, delay, ..Link::SOUND };
        assert_eq!(passages(&mut link, &held, LENGTH, now)[0].due, Some(now + delay + HELD_BACK));
        let slow = Link { delay, ..Link::SOUND };
        assert_eq!(passages(&mut link, &slow, LENGTH, now)[0].due, Some(now + delay));
    }

    #[test]
    fn an_idle_link_takes_any_frame_and_a_full_one_none() {
        let mut link = LinkState::new(1, 0);
        let now = Instant::now();
        let slow = Link { rate: Some(1000), ..Link::SOUND };
        let huge = RATE_BUFFER + 1;
        let due = passages(&mut link, &slow, huge, now)[0].due.unwrap();
        assert_eq!(due, now + sending_time(huge, 1000));
        assert_eq!(link.judge(&slow, LENGTH, now).collect::<Vec<_>>(), [Verdict::Overflowed]);
        assert_eq!(passages(&mut link, &slow, LENGTH, due)[0].due, Some(due + Duration::from_secs(1)));
    }

    proptest! {
        /// Without jitter and holding back a link delivers in the order it was fed, whatever else is
        /// changed about it meanwhile, and never early.
        #[test]
        fn a_link_keeps_the_order(
            steps in prop::collection::vec((0u64..30, 0u64..80, prop::option::of(1000u64..1 << 20)), 2..50),
        ) {
            let mut link = LinkState::new(1, 0);
            let (mut now, mut last) = (Instant::now(), None);
            for (gap, delay, rate) in steps {
                now += Duration::from_millis(gap);
                let delay = Duration::from_millis(delay);
                let fault = Link { delay, rate, duplicate: 0.3, corrupt: 0.3, ..Link::SOUND };
                for passage in passages(&mut link, &fault, LENGTH, now) {
                    let due = arrival(&passage, now);
                    prop_assert!(due >= now + delay + rate.map_or(Duration::ZERO, |r| sending_time(LENGTH, r)));
                    prop_assert!(last.is_none_or(|last| due >= last));
                    last = Some(due);
                }
            }
        }

        /// A link never carries more than its rate, never keeps more than its buffer, and turns nothing
        /// away while there is room.
        #[test]
        fn a_rate_is_kept(
            rate in 1000u64..100 << 20,
            frames in prop::collection::vec((0u64..3_000_000, 14usize..1514), 2..400),
        ) {
            let mut link = LinkState::new(1, 0);
            let fault = Link { rate: Some(rate), ..Link::SOUND };
            let (mut now, mut last) = (Instant::now(), None::<Instant>);
            for (gap, length) in frames {
                now += Duration::from_nanos(gap);
                let time = sending_time(length, rate);
                let begin = last.map_or(now, |last| last.max(now));
                let fits = begin == now || begin + time <= now + sending_time(RATE_BUFFER, rate);
                let passed = passages(&mut link, &fault, length, now);
                prop_assert_eq!(passed.len(), usize::from(fits));
                if let Some(passage) = passed.first() {
                    prop_assert_eq!(arrival(passage, now), begin + time);
                    last = passage.due;
                }
            }
        }

        /// No bit of the Ethernet header flips, and none that is not there.
        #[test]
        fn a_flipped_bit_is_one_of_the_payload(seed: u64, length in ETHERNET_HEADER..2000usize) {
            let mut link = LinkState::new(seed, 0);
            let fault = Link { corrupt: 1.0, ..Link::SOUND };
            let flipped = passages(&mut link, &fault, length, Instant::now())[0].flipped;
            match length {
                ETHERNET_HEADER => prop_assert_eq!(flipped, None),
                _ => prop_assert!(flipped.is_some_and(|b| (ETHERNET_HEADER..length).contains(&(b / 8)))),
            }
        }
    }
}
