//! Where a frame goes; what happens to it on the way is [`super::link`]'s. No I/O, no clock of its own.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::faults::Faults;
use super::link::{LinkState, Verdict};

/// A port's number.
pub type PortId = usize;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Destination, source and type: less is no frame.
pub(super) const ETHERNET_HEADER: usize = 14;

/// A node that invents addresses must not make the table grow without end.
const MAX_ADDRESSES: usize = 4096;

/// Address table, faults and the state of the links.
#[derive(Clone, Debug)]
pub struct Core {
    table: BTreeMap<Mac, PortId>,
    faults: Faults,
    links: Vec<LinkState>,
}

impl Core {
    /// An empty table.
    pub fn new(faults: Faults, seed: u64) -> Self {
        let links = (0..faults.ports() * faults.ports()).map(|link| LinkState::new(seed, link as u64));
        Self { table: BTreeMap::new(), links: links.collect(), faults }
    }

    /// The faults in force.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The faults, to change them.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Forgets the addresses behind a port, and what is under way to it.
    pub fn forget(&mut self, port: PortId) {
        self.table.retain(|_, p| *p != port);
        for link in self.links.iter_mut().skip(port).step_by(self.faults.ports()) {
            link.forget();
        }
    }

    /// Decides about a frame (without any virtio-net header) and appends the verdicts for each
    /// port that it is meant for: one, or two when it is duplicated.
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
            Some(to) => self.judge(from, to, frame, now, verdicts),
            None => {
                for to in (0..self.faults.ports()).filter(|to| *to != from) {
                    self.judge(from, to, frame, now, verdicts);
                }
            }
        }
    }

    fn learn(&mut self, source: Mac, from: PortId) {
        if !is_group(source) && (self.table.len() < MAX_ADDRESSES || self.table.contains_key(&source)) {
            self.table.insert(source, from);
        }
    }

    fn judge(
        &mut self,
        from: PortId,
        to: PortId,
        frame: &[u8],
        now: Instant,
        verdicts: &mut Vec<(PortId, Verdict)>,
    ) {
        let fault = self.faults.link(from, to);
        let link = &mut self.links[from * self.faults.ports() + to];
        verdicts.extend(link.judge(&fault, frame.len(), now).map(|verdict| (to, verdict)));
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
    use super::super::link::Passage;
    use super::*;

    const PORTS: usize = 4;

    const AT_ONCE: Verdict =
        Verdict::Pass(Passage { due: None, flipped: None, duplicate: false, held_back: false });

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
        assert_eq!(send(&mut core, 2, &frame(mac(2), mac(0)), now), [(0, AT_ONCE)]);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now), [(2, AT_ONCE)]);
        core.forget(2);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now).len(), 3, "the plug was pulled");
    }

    #[test]
    fn an_address_moves_with_its_node() {
        let mut core = taught(1);
        let now = Instant::now();
        send(&mut core, 3, &frame(mac(2), [0xff; 6]), now);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(2)), now), [(3, AT_ONCE)]);
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
        assert_eq!(send(&mut core, 1, &frame(mac(1), mac(0)), now), [(0, AT_ONCE)]);
        core.faults_mut().heal();
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), now), [(1, AT_ONCE)]);
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
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), later), [(1, AT_ONCE)]);
    }

    #[test]
    fn what_was_under_way_to_a_pulled_plug_delays_nothing() {
        let mut core = taught(1);
        let now = Instant::now();
        core.faults_mut().set(0, 1, Link { delay: Duration::from_secs(50), rate: Some(1), ..Link::SOUND });
        send(&mut core, 0, &frame(mac(0), mac(1)), now);
        core.forget(1);
        core.faults_mut().heal();
        send(&mut core, 1, &frame(mac(1), mac(0)), now);
        assert_eq!(send(&mut core, 0, &frame(mac(0), mac(1)), now), [(1, AT_ONCE)]);
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
            let noisy = Link { loss: 0.2, duplicate: 0.2, delay: Duration::from_millis(1), ..Link::SOUND };
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

        /// One seed, one sequence of fates, whatever the other links carry in between.
        #[test]
        fn faults_replay_from_their_seed(seed: u64, noise in prop::collection::vec(any::<bool>(), 200)) {
            let jitter = Duration::from_millis(5);
            let bad = Link { loss: 0.3, duplicate: 0.3, corrupt: 0.3, reorder: 0.3, jitter, ..Link::SOUND };
            let now = Instant::now();
            let run = |disturb: bool| {
                let mut core = taught(seed);
                core.faults_mut().set(0, 1, bad);
                core.faults_mut().set(2, 3, bad);
                noise.iter().map(|noisy| {
                    if disturb && *noisy {
                        send(&mut core, 2, &frame(mac(2), mac(3)), now);
                    }
                    send(&mut core, 0, &frame(mac(0), mac(1)), now)
                }).collect::<Vec<_>>()
            };
            let quiet = run(false);
            prop_assert_eq!(&quiet, &run(true));
            let fates: Vec<Verdict> = quiet.iter().flatten().map(|(_, verdict)| *verdict).collect();
            let passed = |is: fn(&Passage) -> bool| fates.iter().any(|v| matches!(v, Verdict::Pass(p) if is(p)));
            prop_assert!(fates.contains(&Verdict::Lost));
            prop_assert!(passed(|p| p.duplicate) && passed(|p| p.flipped.is_some()) && passed(|p| p.held_back));
            prop_assert!(passed(|p| !p.duplicate && p.flipped.is_none() && !p.held_back));
        }
    }
}
