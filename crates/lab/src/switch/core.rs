//! Where a frame goes and what happens to it on the way. No I/O, no clock of its own.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::faults::Faults;

/// A port's number.
pub type PortId = usize;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Destination, source and type: less is no frame.
pub(super) const ETHERNET_HEADER: usize = 14;

/// A node that invents addresses must not make the table grow without end.
const MAX_ADDRESSES: usize = 4096;

/// What happens to one copy of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Now,
    /// It passes, but not before that time.
    At(Instant),
    /// The link is cut.
    Cut,
    /// The link lost it.
    Lost,
}

/// Address table, faults and the random streams of the links.
#[derive(Clone, Debug)]
pub struct Core {
    table: BTreeMap<Mac, PortId>,
    faults: Faults,
    /// One stream a link: what happens on one does not shift what happens on another.
    streams: Vec<ChaCha8Rng>,
    /// When the last frame of a link is due: without jitter nothing overtakes.
    last_due: Vec<Option<Instant>>,
}

impl Core {
    /// An empty table.
    pub fn new(faults: Faults, seed: u64) -> Self {
        let links = faults.ports() * faults.ports();
        let stream = |link: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(link as u64);
            rng
        };
        Self {
            table: BTreeMap::new(),
            faults,
            streams: (0..links).map(stream).collect(),
            last_due: vec![None; links],
        }
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The faults, to change them.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Forgets the addresses behind a port.
    pub fn forget(&mut self, port: PortId) {
        self.table.retain(|_, p| *p != port);
    }

    /// Decides about a frame (without any virtio-net header) and appends one verdict for each port
    /// that it is meant for.
    pub fn forward(
        &mut self,
        from: PortId,
        frame: &[u8],
        now: Instant,
        verdicts: &mut Vec<(PortId, Verdict)>,
    ) {
        let Some((destination, source)) = addresses(frame) else { return };
        self.learn(source, from);
        match self.table.get(&destination).copied() {
            // A frame back to where it came from is for a neighbour behind the same port.
            Some(to) if to == from => {}
            Some(to) => verdicts.push((to, self.judge(from, to, now))),
            None => {
                for to in (0..self.faults.ports()).filter(|to| *to != from) {
                    let verdict = self.judge(from, to, now);
                    verdicts.push((to, verdict));
                }
            }
        }
    }

    fn learn(&mut self, source: Mac, from: PortId) {
        if !is_group(source) && (self.table.len() < MAX_ADDRESSES || self.table.contains_key(&source)) {
            self.table.insert(source, from);
        }
    }

    fn judge(&mut self, from: PortId, to: PortId, now: Instant) -> Verdict {
        let fault = self.faults.link(from, to);
        let link = from * self.faults.ports() + to;
        if fault.cut {
            return Verdict::Cut;
        }
        if fault.loss > 0.0 && self.streams[link].random::<f64>() < fault.loss {
            return Verdict::Lost;
        }
        let jitter = match fault.jitter.is_zero() {
            true => fault.jitter,
            false => fault.jitter.mul_f64(self.streams[link].random::<f64>()),
        };
        let mut due = now + fault.delay + jitter;
        if fault.jitter.is_zero() {
            // Also after a delay was shortened: what is under way arrives first.
            due = due.max(self.last_due[link].unwrap_or(now));
            self.last_due[link] = (due > now).then_some(due);
        }
        if due > now { Verdict::At(due) } else { Verdict::Now }
    }
}

fn addresses(frame: &[u8]) -> Option<(Mac, Mac)> {
    if frame.len() < ETHERNET_HEADER {
        return None;
    }
    Some((frame[..6].try_into().ok()?, frame[6..12].try_into().ok()?))
}

/// Broadcast or multicast: never a source, always flooded.
fn is_group(mac: Mac) -> bool {
    mac[0] & 1 == 1
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::faults::Link;
    use super::*;

    const PORTS: usize = 4;

    fn mac(port: usize) -> Mac {
        [2, 0, 0, 0, 0, u8::try_from(port).unwrap()]
    }

    fn frame(from: Mac, to: Mac) -> Vec<u8> {
        [&to[..], &from[..], &[0x08, 0x00], b"payload"].concat()
    }

    fn core(seed: u64) -> Core {
        Core::new(Faults::new(PORTS), seed)
    }

    fn send(core: &mut Core, from: PortId, frame: &[u8], now: Instant) -> Vec<(PortId, Verdict)> {
        let mut verdicts = Vec::new();
        core.forward(from, frame, now, &mut verdicts);
        verdicts
    }

    /// A core that has seen every node once.
    fn taught(seed: u64) -> Core {
        let mut core = core(seed);
        for port in 0..PORTS {
            send(&mut core, port, &frame(mac(port), [0xff; 6]), Instant::now());
        }
        core
    }

    #[test]
    fn it_floods_what_it_does_not_know_and_learns() {
        let now = Instant::now();
        let mut core = core(1);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now).len(), 3);
        assert_eq!(send(&mut core, 2, &frame(mac(2), mac(0)), now), [(0, Verdict::Now)]);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now), [(2, Verdict::Now)]);
        core.forget(2);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now).len(), 3, "the plug was pulled");
    }

    #[test]
    fn an_address_moves_with_its_node() {
        let mut core = taught(1);
        let now = Instant::now();
        send(&mut core, 3, &frame(mac(2), [0xff; 6]), now);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now), [(3, Verdict::Now)]);
    }

    #[test]
    fn runts_and_forged_group_sources_are_harmless() {
        let mut core = taught(1);
        let now = Instant::now();
        assert!(send(&mut core, 0, &[0; 13], now).is_empty());
        send(&mut core, 1, &frame([0xff; 6], mac(0)), now);
        assert_eq!(send(&mut core, 0, &frame(mac(0), [0xff; 6]), now).len(), 3, "broadcast was not learned");
    }

    #[test]
    fn an_invented_address_does_not_grow_the_table_without_end() {
        let mut core = core(1);
        for n in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            let [a, b, c, d] = n.to_be_bytes();
            send(&mut core, 0, &frame([2, 1, a, b, c, d], [0xff; 6]), Instant::now());
        }
        assert_eq!(core.table.len(), MAX_ADDRESSES);
    }

    #[test]
    fn a_one_way_cut_is_one_way() {
        let mut core = taught(1);
        core.faults_mut().set(0, 1, Link::CUT);
        let now = Instant::now();
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), now), [(1, Verdict::Cut)]);
        assert_eq!(send(&mut core, 1, &frame(mac(1), mac(0)), now), [(0, Verdict::Now)]);
        core.faults_mut().heal();
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), now), [(1, Verdict::Now)]);
    }

    #[test]
    fn a_shortened_delay_lets_nothing_overtake() {
        let mut core = taught(1);
        let now = Instant::now();
        let slow = Link { delay: Duration::from_millis(50), ..Link::default() };
        core.faults_mut().set(0, 1, slow);
        let first = send(&mut core, 0, &frame(mac(0), mac(1)), now);
        core.faults_mut().heal();
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), now), first, "not before the one under way");
        let later = now + Duration::from_millis(60);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), later), [(1, Verdict::Now)]);
    }

    proptest! {
        /// Whatever else is wrong and whoever is known: a cut pair exchanges nothing, and nothing
        /// comes back to its sender.
        #[test]
        fn nothing_passes_a_cut(
            seed: u64,
            cuts in prop::collection::btree_set((0..PORTS, 0..PORTS), 0..6),
            frames in prop::collection::vec((0..PORTS, 0..PORTS + 1), 1..50),
        ) {
            let mut core = core(seed);
            let noisy = Link { loss: 0.2, delay: Duration::from_millis(1), ..Link::default() };
            for from in 0..PORTS {
                for to in 0..PORTS {
                    core.faults_mut().set(from, to, if cuts.contains(&(from, to)) { Link::CUT } else { noisy });
                }
            }
            for (from, to) in frames {
                let to = if to == PORTS { [0xff; 6] } else { mac(to) };
                for (port, verdict) in send(&mut core, from, &frame(mac(from), to), Instant::now()) {
                    prop_assert_ne!(port, from);
                    prop_assert_eq!(verdict == Verdict::Cut, cuts.contains(&(from, port)));
                }
            }
        }

        /// One seed, one sequence of losses, whatever the other links carry in between.
        #[test]
        fn losses_replay_from_their_seed(seed: u64, noise in prop::collection::vec(any::<bool>(), 200)) {
            let lossy = Link { loss: 0.3, ..Link::default() };
            let run = |disturb: bool| {
                let mut core = taught(seed);
                core.faults_mut().set(0, 1, lossy);
                core.faults_mut().set(2, 3, lossy);
                noise.iter().map(|noisy| {
                    if disturb && *noisy {
                        send(&mut core, 2, &frame(mac(2), mac(3)), Instant::now());
                    }
                    send(&mut core, 0, &frame(mac(0), mac(1)), Instant::now())
                        .iter().any(|(_, verdict)| *verdict == Verdict::Lost)
                }).collect::<Vec<bool>>()
            };
            let quiet = run(false);
            prop_assert_eq!(&quiet, &run(true));
            prop_assert!(quiet.contains(&true) && quiet.contains(&false));
        }

        /// Without jitter a link delivers in the order it was fed.
        #[test]
        fn a_delay_keeps_the_order(gaps in prop::collection::vec(0u64..30, 2..50), delays in prop::collection::vec(0u64..80, 50)) {
            let mut core = taught(1);
            let (mut now, mut last) = (Instant::now(), None);
            for (gap, delay) in gaps.into_iter().zip(delays) {
                now += Duration::from_millis(gap);
                core.faults_mut().set(0, 1, Link { delay: Duration::from_millis(delay), ..Link::default() });
                let due = match send(&mut core, 0, &frame(mac(0), mac(1)), now)[..] {
                    [(1, Verdict::Now)] => now,
                    [(1, Verdict::At(due))] => due,
                    ref other => panic!("{other:?}"),
                };
                prop_assert!(due >= now + Duration::from_millis(delay));
                prop_assert!(last.is_none_or(|last| due >= last));
                last = Some(due);
            }
        }
    }
}
