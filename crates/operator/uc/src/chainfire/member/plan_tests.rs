//! The planner against a model: clusters whose members die and come back between its steps.

use proptest::prelude::*;

use super::model::{Bounds, Health, Member, Observed, Wanted};
use super::plan::{Refusal, Step, after, is_made, next, plan};

fn url(number: u64) -> String {
    format!("https://n{number}:2380")
}

fn away() -> Health {
    Health::Away { why: "it was killed".to_owned() }
}

fn well() -> Health {
    Health::Well { behind: 0, caught_up: true }
}

fn member(number: u64) -> Member {
    let (name, peer_urls) = (format!("n{number}"), vec![url(number)]);
    Member { id: number, name, peer_urls, client_urls: Vec::new(), learner: false, health: well() }
}

/// Voters 1 to `size`, all well; 1 leads.
pub(super) fn group(size: u64) -> Observed {
    Observed { members: (1..=size).map(member).collect(), leader: Some(1) }
}

pub(super) fn wanted(numbers: &[u64]) -> Vec<Wanted> {
    let one = |n: &u64| Wanted { name: format!("n{n}"), peer_urls: vec![url(*n)], client_urls: Vec::new() };
    numbers.iter().map(one).collect()
}

fn with_away(mut observed: Observed, numbers: &[u64]) -> Observed {
    observed.members.iter_mut().filter(|m| numbers.contains(&m.id)).for_each(|m| m.health = away());
    observed
}

fn actions(observed: &Observed, wanted: &[Wanted]) -> Vec<String> {
    let (steps, refusal) = plan(observed, wanted);
    assert_eq!(refusal, None);
    steps.iter().map(|p| super::apply::describe(&p.step)).collect()
}

fn bounds(voters: usize, quorum: usize, healthy: usize) -> Bounds {
    Bounds { voters, quorum, healthy }
}

#[test]
fn a_member_is_replaced_by_way_of_a_learner() {
    let steps = actions(&group(3), &wanted(&[1, 3, 4]));
    let expected = [
        "add n4 as learner, at https://n4:2380",
        "wait until n4 has caught up",
        "give n4 a vote",
        "remove n2",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_leader_hands_over_before_it_goes() {
    let steps = actions(&group(3), &wanted(&[2, 3, 4]));
    assert_eq!(&steps[3..], ["hand leadership from n1 to n2", "remove n1"]);
}

#[test]
fn a_dead_member_goes_first() {
    let (steps, refusal) = plan(&with_away(group(3), &[2]), &wanted(&[1, 3, 4]));
    assert_eq!(refusal, None);
    assert!(matches!(&steps[0].step, Step::Remove { member, .. } if member == "n2"));
    assert_eq!((steps[0].before, steps[0].after), (bounds(3, 2, 2), bounds(2, 2, 2)));
    assert_eq!(steps.last().map(|p| p.after), Some(bounds(3, 2, 3)));
}

#[test]
fn all_members_are_exchanged_one_by_one() {
    let (steps, refusal) = plan(&group(3), &wanted(&[4, 5, 6]));
    assert_eq!(refusal, None);
    assert!(steps.iter().all(|p| p.after.voters <= 4 && p.after.tolerates() == Some(1)), "{steps:#?}");
}

#[test]
fn a_removal_that_would_lose_the_quorum_is_refused_with_numbers() {
    let (steps, refusal) = plan(&with_away(group(3), &[3]), &wanted(&[1, 3]));
    assert!(steps.is_empty());
    let lost = Refusal::WouldLoseQuorum { member: "n2".into(), after: bounds(2, 2, 1), away: "n3".into() };
    assert_eq!(refusal, Some(lost.clone()));
    let told = lost.to_string();
    assert!(
        told.contains("1 of 2 voters healthy, quorum 2, no quorum") && told.contains("away: n3"),
        "{told}"
    );
}

#[test]
fn without_a_quorum_nothing_is_planned() {
    let (steps, refusal) = plan(&with_away(group(3), &[2, 3]), &wanted(&[1, 4, 5]));
    assert!(steps.is_empty());
    let lost = Refusal::NoQuorum { bounds: bounds(3, 2, 1), away: "n2, n3".into() };
    assert_eq!(refusal, Some(lost));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |wanted: &[Wanted]| plan(&group(3), wanted).1;
    assert_eq!(refused(&[]), Some(Refusal::NobodyWanted));
    assert_eq!(refused(&wanted(&[1, 1])), Some(Refusal::WantedTwice("n1".into())));
    let renamed = Wanted { name: "other".into(), ..wanted(&[1]).remove(0) };
    assert!(matches!(refused(&[renamed]), Some(Refusal::AnotherName { .. })));
}

/// A cluster, whom it shall have, and who dies when.
#[derive(Clone, Debug)]
struct World {
    observed: Observed,
    wanted: Vec<Wanted>,
    /// Before the step of this number, this member dies.
    deaths: Vec<(usize, usize)>,
}

fn world(with_deaths: bool) -> impl Strategy<Value = World> {
    let sizes = (1u64..8, prop::collection::btree_set(1u64..12, 1..8), 0u64..8, 0u64..16);
    let deaths = prop::collection::vec((0usize..40, 0usize..12), 0..if with_deaths { 6 } else { 1 });
    (sizes, deaths).prop_map(move |((size, wanted_numbers, learner, leader), deaths)| {
        let mut observed = group(size);
        observed.leader = Some(leader % size + 1);
        // Now and then a learner is there already, wanted or not.
        if learner > 4 {
            observed.members.push(Member { learner: true, ..member(size + 1) });
        }
        let numbers: Vec<u64> = wanted_numbers.into_iter().collect();
        let deaths = if with_deaths { deaths } else { Vec::new() };
        World { observed, wanted: wanted(&numbers), deaths }
    })
}

impl World {
    fn is_as_wanted(&self) -> bool {
        let members = &self.observed.members;
        members.len() == self.wanted.len()
            && self.wanted.iter().all(|w| members.iter().any(|m| w.is(m) && !m.learner))
    }

    /// Only where the cluster bears it: what loses the quorum by itself is no step's fault.
    fn die(&mut self, step: usize) {
        let due: Vec<usize> =
            self.deaths.iter().filter(|(when, _)| *when == step).map(|(_, who)| *who).collect();
        for who in due {
            let mut later = self.observed.clone();
            let place = who % later.members.len();
            later.members[place].health = away();
            if later.bounds().tolerates().is_none() {
                continue;
            }
            let dead = later.members[place].id;
            if later.leader == Some(dead) {
                let heir = later.voters().find(|m| m.is_well()).map(|m| m.id);
                later.leader = heir;
            }
            self.observed = later;
        }
    }

    /// Somebody repairs a voter that is away.
    fn repair(&mut self) -> bool {
        let away = self.observed.members.iter_mut().find(|m| !m.learner && !m.is_well());
        away.map(|m| m.health = well()).is_some()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// From anywhere it comes to the members that are wanted, whoever dies on the way; every step is
    /// made with a quorum and leaves one, and its proof says what is so.
    #[test]
    fn every_change_ends_as_wanted_and_never_loses_the_quorum(mut world in world(true)) {
        for number in 0.. {
            prop_assert!(number < 200, "it does not end: {world:#?}");
            world.die(number);
            match next(&world.observed, &world.wanted) {
                Ok(None) => break,
                Ok(Some(proven)) => {
                    let before = world.observed.clone();
                    world.observed = after(&before, &proven.step);
                    prop_assert_eq!(proven.before, before.bounds());
                    prop_assert_eq!(proven.after, world.observed.bounds());
                    prop_assert!(proven.before.tolerates().is_some() && proven.after.tolerates().is_some());
                    prop_assert!(is_made(&world.observed, &proven.step) && !is_made(&before, &proven.step));
                    let gone = before.members.iter().find(|m| !world.observed.members.iter().any(|o| o.id == m.id));
                    let led = gone.is_some_and(|m| before.leader == Some(m.id));
                    prop_assert!(!led, "the leader was removed");
                    let learners = world.observed.members.iter().filter(|m| m.learner).count();
                    prop_assert!(learners <= 1, "{} learners at once", learners);
                }
                // Only members that are away stand in the way.
                Err(refusal) => prop_assert!(world.repair(), "{refusal}: {world:#?}"),
            }
        }
        prop_assert!(world.is_as_wanted(), "{world:#?}");
    }

    /// While all are well, no state bears fewer failures than the first and the last one both do: any
    /// one member may die at any step of a change from three to three.
    #[test]
    fn no_step_is_weaker_than_both_ends(world in world(false)) {
        let (steps, refusal) = plan(&world.observed, &world.wanted);
        prop_assert_eq!(refusal, None);
        let first = world.observed.bounds().tolerates();
        let last = steps.last().map_or(first, |p| p.after.tolerates());
        for proven in &steps {
            prop_assert!(proven.after.tolerates() >= first.min(last), "{steps:#?}");
        }
    }
}
