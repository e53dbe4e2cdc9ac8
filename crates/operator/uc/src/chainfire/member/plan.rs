//! Observed and desired members → the steps between, each with the proof that a quorum remains.
//!
//! A plan is [`next`] asked again and again of the state that each step should lead to. Carrying it out
//! asks the same function of what was really observed, so that a plan that was interrupted, or that met
//! a failure, goes on from wherever it is. One member is added, raised or removed at a time; members
//! come in as learners, which have no vote until they have caught up; and the leader is asked to hand
//! over before it is removed.

use serde::Serialize;

use super::model::{Bounds, Health, Member, Observed, Wanted};

/// While a wanted member is missing, no healthy voter goes unless so many remain: the newcomer has not
/// shown yet that it is any good.
const ENOUGH: usize = 3;

/// More steps than a member can take part in: it is added, awaited, raised, handed over to or from, removed.
const STEPS_EACH: usize = 6;

/// One change, or one wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub(crate) enum Step {
    /// A member without a vote.
    AddLearner {
        /// Whom.
        member: String,
        /// Where its peers reach it.
        peer_urls: Vec<String>,
    },
    /// Until a learner has started and caught up.
    AwaitLearner {
        /// Whom.
        member: String,
        /// Where its peers reach it.
        peer_urls: Vec<String>,
    },
    /// A vote for it.
    Promote {
        /// Whom.
        member: String,
        /// Where its peers reach it.
        peer_urls: Vec<String>,
    },
    /// Another leader, because this one shall go.
    TransferLeadership {
        /// Who leads.
        from: String,
        /// Who shall.
        to: String,
        /// Where the peers of that one reach it.
        peer_urls: Vec<String>,
    },
    /// Out of the cluster.
    Remove {
        /// Whom.
        member: String,
        /// Where its peers reach it.
        peer_urls: Vec<String>,
        /// Whether it has a vote to lose.
        voter: bool,
    },
}

/// A step with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Proven {
    /// What is done.
    #[serde(flatten)]
    pub(crate) step: Step,
    /// What the cluster bears before it.
    pub(crate) before: Bounds,
    /// And after it, if nobody fails meanwhile.
    pub(crate) after: Bounds,
}

/// Why there is no next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Nothing is wanted.
    #[error("no member is wanted: a cluster needs one at least")]
    NobodyWanted,
    /// Two wanted members are one.
    #[error("{0} is wanted twice")]
    WantedTwice(String),
    /// Somebody else is there.
    #[error("the member at {url} is called {is}, not {wanted}")]
    AnotherName {
        /// Where.
        url: String,
        /// Who is there.
        is: String,
        /// Who is wanted there.
        wanted: String,
    },
    /// Nothing can be changed.
    #[error(
        "the quorum is lost: {bounds}; away: {away}. Bring members back first; no change of members can be made without a quorum"
    )]
    NoQuorum {
        /// As it is.
        bounds: Bounds,
        /// Who does not answer.
        away: String,
    },
    /// A step would lose the quorum.
    #[error(
        "removing {member} would lose the quorum: {after} after it; away: {away}. Repair or replace those first"
    )]
    WouldLoseQuorum {
        /// Who was to go.
        member: String,
        /// What would be left.
        after: Bounds,
        /// Who does not answer.
        away: String,
    },
    /// Nobody could lead.
    #[error("{0} leads and shall go, and no wanted member is well enough to lead in its place")]
    NobodyToLead(String),
}

/// The whole way. On a refusal, the steps before it are given, too.
pub(crate) fn plan(observed: &Observed, wanted: &[Wanted]) -> (Vec<Proven>, Option<Refusal>) {
    let (mut state, mut steps) = (observed.clone(), Vec::new());
    while steps.len() <= STEPS_EACH * (observed.members.len() + wanted.len()) {
        match next(&state, wanted) {
            Ok(None) => return (steps, None),
            Ok(Some(proven)) => {
                state = after(&state, &proven.step);
                steps.push(proven);
            }
            Err(refusal) => return (steps, Some(refusal)),
        }
    }
    unreachable!("every step brings the members nearer to those wanted");
}

/// The next step and its proof; `None` when the members are as wanted.
pub(crate) fn next(observed: &Observed, wanted: &[Wanted]) -> Result<Option<Proven>, Refusal> {
    sensible(observed, wanted)?;
    match choose(observed, wanted)? {
        Some(step) => prove(observed, step).map(Some),
        None => Ok(None),
    }
}

fn sensible(observed: &Observed, wanted: &[Wanted]) -> Result<(), Refusal> {
    if wanted.is_empty() {
        return Err(Refusal::NobodyWanted);
    }
    for (number, one) in wanted.iter().enumerate() {
        let same = |other: &&Wanted| {
            (!one.name.is_empty() && other.name == one.name)
                || other.peer_urls.iter().any(|url| one.peer_urls.contains(url))
        };
        if let Some(twice) = wanted[..number].iter().find(same) {
            return Err(Refusal::WantedTwice(twice.label()));
        }
        for member in observed.members.iter().filter(|m| one.is(m)) {
            if !one.name.is_empty() && !member.name.is_empty() && one.name != member.name {
                let (is, wanted) = (member.name.clone(), one.name.clone());
                return Err(Refusal::AnotherName { url: member.peer_urls.join(","), is, wanted });
            }
        }
    }
    Ok(())
}

fn choose(observed: &Observed, wanted: &[Wanted]) -> Result<Option<Step>, Refusal> {
    let is_wanted = |m: &Member| wanted.iter().any(|w| w.is(m));
    // No vote, nothing to lose; and a cluster bears one learner at a time.
    if let Some(stray) = observed.members.iter().find(|m| m.learner && !is_wanted(m)) {
        return Ok(Some(remove(stray)));
    }
    let goes: Vec<&Member> = observed.voters().filter(|m| !is_wanted(m)).collect();
    // One that is away counts against the quorum for nothing.
    if let Some(dead) = goes.iter().find(|m| !m.is_well()) {
        return Ok(Some(remove(dead)));
    }
    let missing = wanted.iter().find(|w| !observed.voters().any(|m| w.is(m)));
    let voters = observed.voters().count();
    if !goes.is_empty() && (missing.is_none() || voters > wanted.len().max(ENOUGH)) {
        return part_with(observed, &goes, is_wanted).map(Some);
    }
    Ok(missing.map(|one| bring_in(observed, one)))
}

fn bring_in(observed: &Observed, one: &Wanted) -> Step {
    let (member, peer_urls) = (one.label(), one.peer_urls.clone());
    match observed.members.iter().find(|m| one.is(m)) {
        None => Step::AddLearner { member, peer_urls },
        Some(learner) if learner.is_caught_up() => Step::Promote { member, peer_urls },
        Some(_) => Step::AwaitLearner { member, peer_urls },
    }
}

/// The leader goes last, and not before somebody else leads.
fn part_with(
    observed: &Observed,
    goes: &[&Member],
    is_wanted: impl Fn(&Member) -> bool,
) -> Result<Step, Refusal> {
    let leads = |m: &Member| observed.leader == Some(m.id);
    if let Some(follower) = goes.iter().find(|m| !leads(m)) {
        return Ok(remove(follower));
    }
    let leader = goes[0];
    let behind = |m: &Member| match m.health {
        Health::Well { behind, .. } => behind,
        Health::Away { .. } => u64::MAX,
    };
    let heir = observed.voters().filter(|m| is_wanted(m) && m.is_well()).min_by_key(|m| behind(m));
    let heir = heir.ok_or_else(|| Refusal::NobodyToLead(leader.label()))?;
    let (from, to, peer_urls) = (leader.label(), heir.label(), heir.peer_urls.clone());
    Ok(Step::TransferLeadership { from, to, peer_urls })
}

fn remove(member: &Member) -> Step {
    Step::Remove { member: member.label(), peer_urls: member.peer_urls.clone(), voter: !member.learner }
}

/// Between two configurations both quorums are needed: each must answer now.
fn prove(observed: &Observed, step: Step) -> Result<Proven, Refusal> {
    let (before, after) = (observed.bounds(), after(observed, &step).bounds());
    if before.tolerates().is_none() {
        return Err(Refusal::NoQuorum { bounds: before, away: away(observed) });
    }
    if after.tolerates().is_none() {
        let (Step::Remove { member, .. }
        | Step::AddLearner { member, .. }
        | Step::AwaitLearner { member, .. }
        | Step::Promote { member, .. }
        | Step::TransferLeadership { to: member, .. }) = step;
        return Err(Refusal::WouldLoseQuorum { member, after, away: away(observed) });
    }
    Ok(Proven { step, before, after })
}

fn away(observed: &Observed) -> String {
    let away: Vec<String> = observed.voters().filter(|m| !m.is_well()).map(Member::label).collect();
    if away.is_empty() { "nobody".to_owned() } else { away.join(", ") }
}

/// What a step leads to when all goes well.
pub(crate) fn after(observed: &Observed, step: &Step) -> Observed {
    let mut state = observed.clone();
    let at = |urls: &[String], m: &Member| m.peer_urls.iter().any(|url| urls.contains(url));
    match step {
        Step::AddLearner { peer_urls, .. } => {
            let id = state.members.iter().map(|m| m.id).max().unwrap_or(0).wrapping_add(1);
            let health = Health::Away { why: "it has not started yet".to_owned() };
            let (name, client_urls) = (String::new(), Vec::new());
            let peer_urls = peer_urls.clone();
            state.members.push(Member { id, name, peer_urls, client_urls, learner: true, health });
        }
        Step::AwaitLearner { member, peer_urls } => {
            for learner in state.members.iter_mut().filter(|m| at(peer_urls, m)) {
                learner.health = Health::Well { behind: 0, caught_up: true };
                learner.name.clone_from(member);
            }
        }
        Step::Promote { peer_urls, .. } => {
            state.members.iter_mut().filter(|m| at(peer_urls, m)).for_each(|m| m.learner = false);
        }
        Step::TransferLeadership { peer_urls, .. } => {
            state.leader = state.members.iter().find(|m| at(peer_urls, m)).map(|m| m.id);
        }
        Step::Remove { peer_urls, .. } => state.members.retain(|m| !at(peer_urls, m)),
    }
    state
}

/// Whether the members show that a step has been made.
pub(crate) fn is_made(observed: &Observed, step: &Step) -> bool {
    let at =
        |urls: &[String]| observed.members.iter().find(|m| m.peer_urls.iter().any(|url| urls.contains(url)));
    match step {
        Step::AddLearner { peer_urls, .. } => at(peer_urls).is_some(),
        Step::AwaitLearner { peer_urls, .. } => at(peer_urls).is_some_and(|m| !m.learner || m.is_caught_up()),
        Step::Promote { peer_urls, .. } => at(peer_urls).is_some_and(|m| !m.learner),
        Step::TransferLeadership { peer_urls, .. } => {
            at(peer_urls).is_some_and(|m| observed.leader == Some(m.id))
        }
        Step::Remove { peer_urls, .. } => at(peer_urls).is_none(),
    }
}
