//! Who has diverged: a pure function of the notes in the log and of what this replica has noted.
//!
//! A service keeps a [`Chain`], a hash over everything that its commands did. Marks in its log say where chains are
//! compared, statements what each replica's chain was there. All replicas read them in the same order, so that all
//! come to the same verdict. What a verdict leads to is the service's business.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Marks that are remembered. Statements about older ones come too late to matter.
const KEPT: usize = 8;
/// Statements about one mark that are remembered: more than there are members.
const MOST: usize = 64;

/// A running hash over everything that commands did to a state, in order: two replicas that have applied
/// the same entries to the same state have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Who has begun it: only chains of one beginning can be compared. 0: an empty state.
    pub origin: u64,
    /// The hash so far.
    pub hash: u64,
}

impl Chain {
    /// A chain that begins here.
    pub fn begin(origin: u64) -> Self {
        Self { origin, hash: 0 }
    }
}

/// What a member says its chain was at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Who says so.
    pub member: u64,
    /// The mark's index in the log.
    pub mark: u64,
    /// Its chain there.
    pub chain: Chain,
}

/// What statements have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A majority holds something else than this member.
    Diverged(u64),
    /// No majority can come about.
    Undecided,
}

/// One replica's view of the marks.
#[derive(Debug)]
pub struct Jury {
    me: u64,
    marks: VecDeque<Mark>,
}

#[derive(Debug)]
struct Mark {
    index: u64,
    voters: BTreeSet<u64>,
    own: Chain,
    said: BTreeMap<u64, u64>,
    told: BTreeSet<u64>,
    undecided: bool,
}

impl Jury {
    /// Of this replica.
    pub fn new(me: u64) -> Self {
        Self { me, marks: VecDeque::new() }
    }

    /// Forgets all marks: the state was replaced.
    pub fn forget(&mut self) {
        self.marks.clear();
    }

    /// Notes this replica's chain at a mark. Gives what it has to state.
    pub fn mark(&mut self, index: u64, voters: impl IntoIterator<Item = u64>, own: Chain) -> Statement {
        if self.marks.len() >= KEPT {
            self.marks.pop_front();
        }
        let (said, told) = (BTreeMap::new(), BTreeSet::new());
        let voters = voters.into_iter().take(MOST).collect();
        self.marks.push_back(Mark { index, voters, own, said, told, undecided: false });
        Statement { member: self.me, mark: index, chain: own }
    }

    /// Takes a statement from the log. Gives what it has shown that was not known.
    pub fn hear(&mut self, statement: Statement) -> Vec<Verdict> {
        let Statement { member, mark, chain } = statement;
        let me = self.me;
        let known =
            self.marks.iter_mut().find(|known| known.index == mark && known.own.origin == chain.origin);
        let Some(mark) = known else { return Vec::new() };
        if mark.said.len() < MOST {
            // What was said once is said.
            mark.said.entry(member).or_insert(chain.hash);
        }
        mark.judge(me)
    }
}

impl Mark {
    fn judge(&mut self, me: u64) -> Vec<Verdict> {
        let quorum = self.voters.len() / 2 + 1;
        let mut tally: BTreeMap<u64, usize> = BTreeMap::new();
        let mut silent = self.voters.len();
        for (_, hash) in self.said.iter().filter(|(member, _)| self.voters.contains(member)) {
            *tally.entry(*hash).or_default() += 1;
            silent -= 1;
        }
        if let Some((right, _)) = tally.iter().find(|(_, count)| **count >= quorum) {
            let own = (self.own.hash != *right).then_some(me);
            let others = self.said.iter().filter(|(_, hash)| *hash != right).map(|(member, _)| *member);
            let accused: BTreeSet<u64> = own.into_iter().chain(others).collect();
            let news = accused.into_iter().filter(|member| self.told.insert(*member));
            return news.map(Verdict::Diverged).collect();
        }
        let most = tally.values().max().copied().unwrap_or(0);
        if most + silent < quorum && !std::mem::replace(&mut self.undecided, true) {
            return vec![Verdict::Undecided];
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: u64 = 5;
    const GOOD: u64 = 100;

    fn chain(hash: u64) -> Chain {
        Chain { origin: ORIGIN, hash }
    }

    /// A replica `me` whose chain is `own` at mark 1, after these statements.
    fn after(me: u64, own: u64, voters: &[u64], said: &[(u64, u64)]) -> Vec<Verdict> {
        let mut jury = Jury::new(me);
        jury.mark(1, voters.iter().copied(), chain(own));
        let statement =
            |(member, hash): &(u64, u64)| Statement { member: *member, mark: 1, chain: chain(*hash) };
        said.iter().flat_map(|said| jury.hear(statement(said))).collect()
    }

    #[test]
    fn one_of_three_is_found_by_itself_and_by_the_others() {
        let said = [(1, GOOD), (2, 7), (3, GOOD)];
        for (me, own) in [(1, GOOD), (2, 7), (3, GOOD)] {
            assert_eq!(after(me, own, &[1, 2, 3], &said), [Verdict::Diverged(2)]);
        }
        // It need not say anything itself.
        assert_eq!(after(2, 7, &[1, 2, 3], &[(1, GOOD), (3, GOOD)]), [Verdict::Diverged(2)]);
        assert_eq!(after(1, GOOD, &[1, 2, 3], &[(1, GOOD), (3, GOOD)]), []);
    }

    #[test]
    fn a_diverged_leader_does_not_win_by_speaking_first_or_twice() {
        let said = [(1, 7), (1, 7), (1, 7), (2, GOOD), (3, GOOD)];
        assert_eq!(after(2, GOOD, &[1, 2, 3], &said), [Verdict::Diverged(1)]);
        // Nor by changing its mind.
        assert_eq!(after(2, GOOD, &[1, 2, 3], &[(1, 7), (1, GOOD), (2, GOOD)]), []);
    }

    #[test]
    fn one_against_one_is_not_decided_and_neither_are_three_opinions() {
        assert_eq!(after(1, GOOD, &[1, 2], &[(1, GOOD), (2, 7)]), [Verdict::Undecided]);
        assert_eq!(after(1, GOOD, &[1, 2, 3], &[(1, GOOD), (2, 7)]), []);
        assert_eq!(after(1, GOOD, &[1, 2, 3], &[(1, GOOD), (2, 7), (3, 8)]), [Verdict::Undecided]);
        let said = [(1, GOOD), (2, 7), (3, 7), (4, GOOD)];
        assert_eq!(after(1, GOOD, &[1, 2, 3, 4], &said), [Verdict::Undecided]);
    }

    #[test]
    fn learners_and_strangers_do_not_count_but_are_found_out() {
        let said = [(8, 7), (9, 7), (1, GOOD), (2, GOOD)];
        assert_eq!(after(1, GOOD, &[1, 2, 3], &said), [Verdict::Diverged(8), Verdict::Diverged(9)]);
        assert_eq!(after(9, 7, &[1, 2, 3], &[(1, GOOD), (2, GOOD)]), [Verdict::Diverged(9)]);
    }

    #[test]
    fn who_is_alone_is_right() {
        assert_eq!(after(1, GOOD, &[1], &[(1, GOOD)]), []);
    }

    #[test]
    fn chains_of_another_beginning_and_marks_of_long_ago_are_passed_over() {
        let mut jury = Jury::new(1);
        jury.mark(1, [1, 2, 3], chain(GOOD));
        for member in 2..=3 {
            let elsewhere = Chain { origin: ORIGIN + 1, hash: 7 };
            assert_eq!(jury.hear(Statement { member, mark: 1, chain: elsewhere }), []);
            assert_eq!(jury.hear(Statement { member, mark: 2, chain: chain(7) }), []);
        }
        for index in 2..=9 {
            jury.mark(index, [1, 2, 3], chain(GOOD));
        }
        assert_eq!(jury.hear(Statement { member: 2, mark: 1, chain: chain(7) }), []);
        assert_eq!(jury.hear(Statement { member: 3, mark: 1, chain: chain(7) }), []);
        jury.forget();
        assert_eq!(jury.hear(Statement { member: 2, mark: 9, chain: chain(7) }), []);
        assert_eq!(jury.hear(Statement { member: 3, mark: 9, chain: chain(7) }), []);
    }

    /// Up to seven voters and two learners with their hashes: 100 is what a healthy one has.
    fn group() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![3 => Just(GOOD), 1 => 0..3u64], 1..9)
    }

    proptest! {
        /// Any statements in any order, repeated or missing.
        #[test]
        fn with_a_healthy_majority_exactly_the_diverged_are_found(
            hashes in group(), learners in 0..3usize,
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let members: Vec<(u64, u64)> = (1..).zip(hashes.iter().copied()).collect();
            let voters: Vec<u64> = (1..=hashes.len().saturating_sub(learners).max(1) as u64).collect();
            let is_voter = |member: u64| voters.contains(&member);
            let healthy = members.iter().filter(|(m, hash)| is_voter(*m) && *hash == GOOD).count();
            let said: Vec<(u64, u64)> = order.iter().map(|at| *at.get(&members)).collect();
            let spoken: BTreeSet<u64> = said.iter().map(|(member, _)| *member).collect();
            let quorum = voters.len() / 2 + 1;
            let decided = members
                .iter()
                .filter(|(m, hash)| is_voter(*m) && *hash == GOOD && spoken.contains(m))
                .count() >= quorum;
            for (me, own) in &members {
                let verdicts = after(*me, *own, &voters, &said);
                if healthy >= quorum {
                    let wrong = |m: &&(u64, u64)| m.1 != GOOD && (spoken.contains(&m.0) || m.0 == *me);
                    let expected: BTreeSet<u64> = members.iter().filter(wrong).map(|m| m.0).collect();
                    let found: BTreeSet<u64> = verdicts.iter().map(|verdict| match verdict {
                        Verdict::Diverged(member) => *member,
                        Verdict::Undecided => 0,
                    }).collect();
                    prop_assert_eq!(found.len(), verdicts.len(), "said twice: {:?}", verdicts);
                    prop_assert_eq!(found, if decided { expected } else { BTreeSet::new() });
                }
            }
        }

        /// Whatever is said, two replicas never find different members right: one of them has the majority.
        #[test]
        fn no_two_replicas_disagree_about_a_third(
            hashes in group(), order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let members: Vec<(u64, u64)> = (1..).zip(hashes.iter().copied()).collect();
            let voters: Vec<u64> = members.iter().map(|(member, _)| *member).collect();
            let said: Vec<(u64, u64)> = order.iter().map(|at| *at.get(&members)).collect();
            let found = |me: u64, own: u64| -> BTreeSet<String> {
                let verdicts = after(me, own, &voters, &said);
                let others = verdicts.iter().filter(|verdict| **verdict != Verdict::Diverged(me));
                others.map(|verdict| format!("{verdict:?}")).collect()
            };
            let (me, own) = members[0];
            let first = found(me, own);
            for (other, own) in &members[1..] {
                let mut second = found(*other, *own);
                second.remove(&format!("{:?}", Verdict::Diverged(me)));
                let mut first = first.clone();
                first.remove(&format!("{:?}", Verdict::Diverged(*other)));
                prop_assert_eq!(&first, &second);
            }
        }
    }
}
