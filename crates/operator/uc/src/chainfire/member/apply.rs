//! Carries a plan out: one look and one step at a time, until the members are as wanted.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use etcd_client::{Client, Error, MemberAddOptions};
use tokio::time::{Instant, sleep};

use super::model::{Observed, Wanted};
use super::observe::{Sight, look};
use super::plan::{Proven, Refusal, Step, is_made, next, plan};
use super::proof::Keeper;
use crate::chainfire::reason;
use crate::connect::Target;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(300);

/// A quorum may be away for a moment, as during an election; a refusal must last so long to count.
const INSIST: Duration = Duration::from_secs(15);

/// One change of members under way.
struct Change<'a> {
    target: &'a Target,
    wanted: &'a [Wanted],
    /// How long one step may take.
    patience: Duration,
    keeper: Keeper,
    /// The step under way, and since when.
    current: Option<(Step, Instant)>,
}

/// Makes the members as wanted; answers the proof that is kept. It may be interrupted at any time and
/// begun again.
pub(crate) async fn apply(
    target: &Target,
    wanted: &[Wanted],
    patience: Duration,
    proof: Option<&Path>,
) -> anyhow::Result<Keeper> {
    let sight = look(target, wanted).await?;
    let (steps, refusal) = plan(&sight.observed, wanted);
    let keeper = Keeper::begin(proof, wanted, steps)?;
    eprintln!("uc: the proof is kept in {}", keeper.path().display());
    let mut change = Change { target, wanted, patience, keeper, current: None };
    // Refused as a whole is not begun: half a change is worth less than none.
    let outcome = match refusal {
        Some(refusal) => Err(refusal.into()),
        None => change.run().await,
    };
    let mut keeper = change.keeper;
    keeper.finish(outcome.as_ref().err().map(|e| format!("{e:#}")))?;
    outcome.map(|()| keeper)
}

impl Change<'_> {
    async fn run(&mut self) -> anyhow::Result<()> {
        let mut troubled: Option<Instant> = None;
        loop {
            match self.advance().await {
                Ok(true) => return Ok(()),
                Ok(false) => troubled = None,
                Err(Trouble::Final(e)) => return Err(e),
                Err(Trouble::Passing(e)) => {
                    let since = *troubled.get_or_insert_with(Instant::now);
                    if since.elapsed() >= INSIST.min(self.patience) {
                        return Err(e);
                    }
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Looks, and makes the next step; whether nothing is left to do.
    async fn advance(&mut self) -> Result<bool, Trouble> {
        let sight = look(self.target, self.wanted).await.map_err(Trouble::Passing)?;
        let Some(proven) = next(&sight.observed, self.wanted)? else {
            self.settle(&sight.observed)?;
            self.keeper.proof.members = Some(sight.observed);
            return Ok(true);
        };
        let since = self.begin(&proven, &sight.observed)?;
        let outcome = self.perform(&proven.step, &sight).await;
        let why = match outcome {
            Ok(()) if !matches!(proven.step, Step::AwaitLearner { .. }) => return Ok(false),
            Ok(()) => "it has not caught up".to_owned(),
            Err(refused) => {
                if self.keeper.outcome(&refused.why).map_err(Trouble::Final)? {
                    eprintln!("uc: not yet: {}", refused.why);
                }
                if refused.hopeless {
                    return Err(Trouble::Final(anyhow::anyhow!(
                        "{}: {}",
                        describe(&proven.step),
                        refused.why
                    )));
                }
                refused.why
            }
        };
        if since.elapsed() >= self.patience {
            let e = anyhow::anyhow!("{}: not within {:?}: {why}", describe(&proven.step), self.patience);
            return Err(Trouble::Final(e));
        }
        Ok(false)
    }

    /// Writes a step down when it is another one than before; answers since when it is under way.
    fn begin(&mut self, proven: &Proven, observed: &Observed) -> Result<Instant, Trouble> {
        if let Some((step, since)) = &self.current
            && *step == proven.step
        {
            return Ok(*since);
        }
        self.settle(observed)?;
        eprintln!("uc: {}; {}", describe(&proven.step), proven.after);
        if let Step::AwaitLearner { member, .. } = &proven.step {
            eprintln!(
                "uc: start {member} with `join = true` and the members as they are now, if it does not run yet"
            );
        }
        self.keeper.step(proven.clone(), observed.clone()).map_err(Trouble::Final)?;
        let now = Instant::now();
        self.current = Some((proven.step.clone(), now));
        Ok(now)
    }

    /// Writes down how the step under way ended: what the cluster shows now.
    fn settle(&mut self, observed: &Observed) -> Result<(), Trouble> {
        if let Some((step, _)) = self.current.take() {
            let made = is_made(observed, &step);
            self.keeper
                .end(if made { "done" } else { "left: something else comes first now" })
                .map_err(Trouble::Final)?;
        }
        Ok(())
    }

    /// Asks for a step. What came of it is seen by the next look, never taken from the answer: an answer
    /// may be lost.
    async fn perform(&self, step: &Step, sight: &Sight) -> Result<(), Refused> {
        let id = |urls: &[String]| {
            let at = sight.observed.members.iter().find(|m| m.peer_urls.iter().any(|u| urls.contains(u)));
            at.map(|m| m.id).ok_or_else(|| Refused::for_now(format!("nobody is at {}", urls.join(","))))
        };
        if matches!(step, Step::AwaitLearner { .. }) {
            return Ok(());
        }
        let mut client = self.leader(sight).await.map_err(|e| Refused::for_now(format!("{e:#}")))?;
        let done: Result<(), Error> = match step {
            Step::AddLearner { peer_urls, .. } => {
                let learner = MemberAddOptions::new().with_is_learner();
                client.member_add(peer_urls.as_slice(), Some(learner)).await.map(|_| ())
            }
            Step::Promote { peer_urls, .. } => client.member_promote(id(peer_urls)?).await.map(|_| ()),
            Step::TransferLeadership { peer_urls, .. } => {
                client.move_leader(id(peer_urls)?).await.map(|_| ())
            }
            Step::Remove { peer_urls, .. } => client.member_remove(id(peer_urls)?).await.map(|_| ()),
            Step::AwaitLearner { .. } => Ok(()),
        };
        done.map_err(|e| Refused { hopeless: is_hopeless(&e), why: reason(&e) })
    }

    async fn leader(&self, sight: &Sight) -> anyhow::Result<Client> {
        let leader = sight.observed.leader.context("nobody leads now")?;
        let url = sight.reached.get(&leader);
        let url = url.with_context(|| format!("no endpoint leads to the leader, member {leader:x}"))?;
        self.target.connect(std::slice::from_ref(url)).await
    }
}

/// Why the cluster did not make a step.
struct Refused {
    why: String,
    /// Whether asking again has no point.
    hopeless: bool,
}

impl Refused {
    fn for_now(why: String) -> Self {
        Self { why, hopeless: false }
    }
}

/// What another attempt would be told, too.
fn is_hopeless(error: &Error) -> bool {
    // gRPC: INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED.
    matches!(error, Error::GRpcStatus(status) if [3, 7, 12, 16].contains(&i32::from(status.code())))
}

/// Why a look or a step did not bring it further.
enum Trouble {
    /// It may be over in a moment.
    Passing(anyhow::Error),
    /// It will not.
    Final(anyhow::Error),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoQuorum { .. } | Refusal::WouldLoseQuorum { .. } | Refusal::NobodyToLead(_) => {
                Self::Passing(refusal.into())
            }
            Refusal::NobodyWanted | Refusal::WantedTwice(_) | Refusal::AnotherName { .. } => {
                Self::Final(refusal.into())
            }
        }
    }
}

/// In a few words.
pub(crate) fn describe(step: &Step) -> String {
    match step {
        Step::AddLearner { member, peer_urls } if member != &peer_urls.join(",") => {
            format!("add {member} as learner, at {}", peer_urls.join(","))
        }
        Step::AddLearner { member, .. } => format!("add a learner at {member}"),
        Step::AwaitLearner { member, .. } => format!("wait until {member} has caught up"),
        Step::Promote { member, .. } => format!("give {member} a vote"),
        Step::TransferLeadership { from, to, .. } => format!("hand leadership from {from} to {to}"),
        Step::Remove { member, voter: true, .. } => format!("remove {member}"),
        Step::Remove { member, voter: false, .. } => format!("remove the learner {member}"),
    }
}
