//! Random operations, faults and crashes against a reference that is a map.
//!
//! All calls form one order, and so does the log: whatever happens, what an open log shows is the
//! reference after some first part of that order, and that part has everything acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use quorum::wal::{Entry, Mark, WalError};
use sim::disk::Call;

use crate::world::{World, entry, mark, run, small};

/// Bytes that an entry takes beside its payload, for the bound of reads.
const ENTRY_HEAD: u64 = 41;

#[derive(Clone, Debug)]
enum Op {
    Append {
        group: u64,
        count: usize,
        size: usize,
    },
    Vote {
        group: u64,
    },
    Truncate {
        group: u64,
        back: u64,
    },
    Purge {
        group: u64,
        keep: u64,
    },
    PurgeBeyond {
        group: u64,
        by: u64,
    },
    Commit {
        group: u64,
        back: u64,
    },
    Remove {
        group: u64,
    },
    Read {
        group: u64,
        from: u64,
        max_bytes: u64,
    },
    /// Lets the writer run.
    Yield,
    /// Waits until everything is durable.
    Wait,
    /// An orderly end.
    Close,
    /// The process ends, the machine goes on.
    Kill,
    /// The machine loses power.
    Crash {
        seed: u64,
    },
    Fault(Fault),
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Power goes at the nth change on the disk.
    Cut(u64),
    /// The nth call of a kind fails, and the process starts again on the same machine.
    Fail(Call, u64),
    /// So many more bytes fit on the disk.
    Full(u64),
}

fn fault() -> impl Strategy<Value = Fault> {
    let call = prop_oneof![
        4 => Just(Call::Sync), 2 => Just(Call::Write), 2 => Just(Call::SyncDir),
        1 => Just(Call::Rename), 1 => Just(Call::Create), 1 => Just(Call::Remove),
    ];
    prop_oneof![
        4 => (1u64..40).prop_map(Fault::Cut),
        3 => (call, 1u64..8).prop_map(|(call, n)| Fault::Fail(call, n)),
        1 => (0u64..80_000).prop_map(Fault::Full),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let group = 0u64..4;
    let sizes = prop_oneof![5 => 0usize..300, 3 => 300usize..4000, 1 => 4000usize..16_000];
    prop_oneof![
        30 => (group.clone(), 1usize..6, sizes)
            .prop_map(|(group, count, size)| Op::Append { group, count, size }),
        4 => group.clone().prop_map(|group| Op::Vote { group }),
        5 => (group.clone(), 0u64..8).prop_map(|(group, back)| Op::Truncate { group, back }),
        8 => (group.clone(), 0u64..6).prop_map(|(group, keep)| Op::Purge { group, keep }),
        1 => (group.clone(), 0u64..50).prop_map(|(group, by)| Op::PurgeBeyond { group, by }),
        4 => (group.clone(), 0u64..4).prop_map(|(group, back)| Op::Commit { group, back }),
        1 => group.clone().prop_map(|group| Op::Remove { group }),
        6 => (group, 0u64..12, 0u64..20_000)
            .prop_map(|(group, from, max_bytes)| Op::Read { group, from, max_bytes }),
        12 => Just(Op::Yield),
        6 => Just(Op::Wait),
        1 => Just(Op::Close),
        1 => Just(Op::Kill),
        2 => any::<u64>().prop_map(|seed| Op::Crash { seed }),
        2 => fault().prop_map(Op::Fault),
    ]
}

/// One change, as small as a crash may separate it from the next.
#[derive(Clone, Debug)]
enum Step {
    Append(u64, Entry),
    Vote(u64, Bytes),
    Truncate(u64, Option<Mark>),
    Purge(u64, Mark),
    Remove(u64),
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Group {
    purged: Option<Mark>,
    last: Option<Mark>,
    vote: Option<Bytes>,
    entries: BTreeMap<u64, Entry>,
}

impl Group {
    fn next(&self) -> u64 {
        self.last.map_or(0, |m| m.index + 1)
    }

    fn first(&self) -> u64 {
        self.purged.map_or(0, |m| m.index + 1)
    }
}

type Reference = BTreeMap<u64, Group>;

fn apply(reference: &mut Reference, step: &Step) {
    match step {
        Step::Append(group, entry) => {
            let g = reference.entry(*group).or_default();
            g.last = Some(entry.mark);
            g.entries.insert(entry.mark.index, entry.clone());
        }
        Step::Vote(group, vote) => reference.entry(*group).or_default().vote = Some(vote.clone()),
        Step::Truncate(group, last) => {
            let g = reference.entry(*group).or_default();
            g.last = *last;
            let next = g.next();
            g.entries.retain(|index, _| *index < next);
        }
        Step::Purge(group, upto) => {
            let g = reference.entry(*group).or_default();
            g.purged = Some(*upto);
            g.entries.retain(|index, _| *index > upto.index);
            if g.next() <= upto.index {
                g.last = Some(*upto);
            }
        }
        Step::Remove(group) => {
            reference.remove(group);
        }
    }
}

type Pending = Pin<Box<dyn Future<Output = Result<(), WalError>>>>;

/// A world and what it should be.
struct Model {
    world: World,
    /// What the log showed when it was opened, and everything that was asked for since.
    base: Reference,
    steps: Vec<Step>,
    /// How many steps are acknowledged.
    acknowledged: Arc<AtomicUsize>,
    now: Reference,
    hints: BTreeMap<u64, BTreeSet<u64>>,
    /// Calls that were begun: the steps that their end acknowledges.
    pending: Vec<(usize, Pending)>,
    term: u64,
    /// Whether a failure is to be expected, and whether it takes the power with it.
    fault: Option<Fault>,
    appended: Appended,
}

/// How appends ended: the steps that each would acknowledge, and whether it failed.
#[derive(Clone, Default)]
struct Appended(Arc<AtomicUsize>);

type Outcome = Result<(), String>;

impl Model {
    async fn new() -> Self {
        Self {
            world: World::open(small()).await,
            base: Reference::new(),
            steps: vec![],
            acknowledged: Arc::default(),
            now: Reference::new(),
            hints: BTreeMap::new(),
            pending: vec![],
            term: 1,
            fault: None,
            appended: Appended::default(),
        }
    }

    async fn perform(&mut self, op: &Op, seed: u64) -> Outcome {
        let result = match op {
            Op::Crash { seed } => return self.after_crash(*seed).await,
            Op::Kill => return self.after_kill(seed).await,
            Op::Close => return self.after_close(seed).await,
            Op::Fault(fault) => {
                self.set(*fault);
                Ok(())
            }
            Op::Read { group, from, max_bytes } => return self.read(*group, *from, *max_bytes).await,
            Op::Yield => {
                tokio::task::yield_now().await;
                Ok(())
            }
            Op::Wait => self.wait().await,
            change => self.change(change).await,
        };
        match result {
            Ok(()) => self.compare_states(),
            Err(e) if self.fault.is_none() => Err(format!("failed although nothing was wrong: {e}")),
            Err(_) => self.after_failure(seed).await,
        }
    }

    fn set(&mut self, fault: Fault) {
        match fault {
            Fault::Cut(n) => self.world.disk.cut_power_at(n),
            Fault::Fail(call, n) => self.world.disk.fail_nth(call, n),
            Fault::Full(more) => {
                let used: usize = self.world.disk.files().values().map(Vec::len).sum();
                self.world.disk.set_capacity(Some(used as u64 + more));
            }
        }
        self.fault = Some(fault);
    }

    async fn change(&mut self, op: &Op) -> Result<(), WalError> {
        match *op {
            Op::Append { group, count, size } => {
                let next = self.group(group).next();
                let entries: Vec<_> =
                    (next..).take(count).map(|i| entry(self.term, i, size.max(30))).collect();
                entries.iter().for_each(|e| self.step(Step::Append(group, e.clone())));
                let (upto, acknowledged) = (self.steps.len(), self.acknowledged.clone());
                let waiting = self.appended.0.clone();
                waiting.fetch_add(1, Ordering::SeqCst);
                let done = move |result: std::io::Result<()>| {
                    waiting.fetch_sub(1, Ordering::SeqCst);
                    if result.is_ok() {
                        acknowledged.fetch_max(upto, Ordering::SeqCst);
                    }
                };
                self.world.log(group).append(entries, done).await
            }
            Op::Vote { group } => {
                self.term += 1;
                let vote = Bytes::from(format!("vote of term {}", self.term));
                self.step(Step::Vote(group, vote.clone()));
                let log = self.world.log(group);
                self.begin(async move { log.save_vote(vote).await }).await
            }
            Op::Truncate { group, back } => self.truncate(group, back).await,
            Op::Purge { group, keep } => {
                let g = self.group(group);
                let upto =
                    g.entries.values().map(|e| e.mark).rev().nth(usize::try_from(keep).expect("small"));
                match upto {
                    Some(upto) => self.purge(group, upto).await,
                    None => Ok(()),
                }
            }
            Op::PurgeBeyond { group, by } => {
                let upto = mark(self.term, self.group(group).next() + by);
                self.purge(group, upto).await
            }
            Op::Commit { group, back } => {
                let index = self.group(group).next().saturating_sub(1 + back);
                let Some(entry) = self.group(group).entries.get(&index).cloned() else { return Ok(()) };
                self.hints.entry(group).or_default().insert(index);
                self.world.log(group).save_committed(Some(entry.mark)).await
            }
            Op::Remove { group } => {
                self.step(Step::Remove(group));
                let log = self.world.log(group);
                self.begin(async move { log.remove().await }).await
            }
            _ => unreachable!("not a change"),
        }
    }

    async fn truncate(&mut self, group: u64, back: u64) -> Result<(), WalError> {
        let g = self.group(group);
        let end = g.next().saturating_sub(back).max(g.first());
        let last = if end == g.first() { g.purged } else { g.entries.get(&(end - 1)).map(|e| e.mark) };
        self.term += 1;
        self.step(Step::Truncate(group, last));
        let log = self.world.log(group);
        self.begin(async move { log.truncate_after(end.checked_sub(1)).await }).await
    }

    async fn purge(&mut self, group: u64, upto: Mark) -> Result<(), WalError> {
        self.step(Step::Purge(group, upto));
        self.world.log(group).purge(upto).await
    }

    fn step(&mut self, step: Step) {
        apply(&mut self.now, &step);
        self.steps.push(step);
    }

    fn group(&self, group: u64) -> Group {
        self.now.get(&group).cloned().unwrap_or_default()
    }

    /// Begins a call and leaves it waiting: other calls come before its end.
    async fn begin(
        &mut self,
        call: impl Future<Output = Result<(), WalError>> + 'static,
    ) -> Result<(), WalError> {
        let mut call: Pending = Box::pin(call);
        match futures::poll!(&mut call) {
            std::task::Poll::Pending => {
                self.pending.push((self.steps.len(), call));
                Ok(())
            }
            std::task::Poll::Ready(result) => result,
        }
    }

    /// Waits for all calls and appends.
    async fn wait(&mut self) -> Result<(), WalError> {
        for (upto, call) in std::mem::take(&mut self.pending) {
            call.await?;
            self.acknowledged.fetch_max(upto, Ordering::SeqCst);
        }
        for _ in 0..1000 {
            if self.appended.0.load(Ordering::SeqCst) == 0 {
                return self.world.wal().failure().map_or(Ok(()), |why| Err(WalError::Failed(why)));
            }
            tokio::task::yield_now().await;
        }
        panic!("an append is never told its end");
    }

    async fn read(&mut self, group: u64, back: u64, max_bytes: u64) -> Outcome {
        let g = self.group(group);
        let from = g.next().saturating_sub(back);
        let found = self.world.log(group).read(from, u64::MAX, max_bytes).await;
        let found = match found {
            Ok(found) => found,
            Err(_) if self.fault.is_some() => return Ok(()),
            Err(e) => return Err(format!("group {group} cannot be read: {e}")),
        };
        let mut bytes = 0;
        let fits = |e: &&Entry| {
            let is_first = bytes == 0;
            bytes += ENTRY_HEAD + e.payload.len() as u64;
            is_first || bytes <= max_bytes
        };
        let wanted: Vec<_> = g.entries.range(from..).map(|(_, e)| e).take_while(fits).cloned().collect();
        same(&format!("a read of group {group} from {from}, {max_bytes} bytes"), &found, &wanted)
    }

    fn compare_states(&self) -> Outcome {
        for group in 0..4 {
            let (state, g) = (self.world.log(group).state(), self.group(group));
            same(
                &format!("the state of group {group}"),
                &(state.purged, state.last, state.vote),
                &(g.purged, g.last, g.vote),
            )?;
        }
        Ok(())
    }

    async fn after_failure(&mut self, seed: u64) -> Outcome {
        // From now on everything must be refused.
        if self.world.wal().failure().is_none() || self.world.log(0).save_committed(None).await.is_ok() {
            return Err("a call failed and the log goes on".into());
        }
        self.after_kill(seed).await
    }

    async fn after_crash(&mut self, seed: u64) -> Outcome {
        self.forget_calls();
        self.crash(seed).await;
        self.reopen(seed).await
    }

    async fn after_kill(&mut self, seed: u64) -> Outcome {
        if self.needs_power_cut() {
            return self.after_crash(seed).await;
        }
        self.forget_calls();
        self.world.kill().await;
        self.reopen(seed).await
    }

    async fn after_close(&mut self, seed: u64) -> Outcome {
        let closed = self.world.wal().close().await;
        if closed.is_ok() {
            self.acknowledged.store(self.steps.len(), Ordering::SeqCst);
        } else if self.fault.is_none() {
            return Err(format!("cannot close: {closed:?}"));
        }
        self.after_kill(seed).await
    }

    /// Whether the next process finds a machine that was started anew: because the power went, or
    /// because a directory could not be synced, after which file systems let nobody write any more.
    fn needs_power_cut(&self) -> bool {
        matches!(self.fault, Some(Fault::Cut(_) | Fault::Fail(Call::SyncDir, _)))
    }

    /// Ends whatever fault was set.
    async fn crash(&mut self, seed: u64) {
        self.world.crash(seed).await;
        self.fault = None;
    }

    fn forget_calls(&mut self) {
        self.pending.clear();
        self.appended = Appended::default();
    }

    /// Opens the log, sometimes with a power cut in the middle of it, and looks at what is there.
    async fn reopen(&mut self, seed: u64) -> Outcome {
        self.world.disk.set_capacity(None);
        if seed.is_multiple_of(3) {
            self.world.disk.cut_power_at(1 + seed / 3 % 12);
            // It may open, and lose power while it makes its next segment.
            let _ = self.world.start().await;
            tokio::task::yield_now().await;
            self.crash(seed ^ 0x5555).await;
        }
        match self.world.start().await {
            Ok(()) => {}
            // A fault that was set before the process ended may happen to the next one.
            Err(WalError::Io { .. }) if self.fault.is_some() => {
                self.crash(seed ^ 0xaaaa).await;
                self.world.start().await.map_err(|e| format!("does not open: {e}"))?;
            }
            Err(e) => return Err(format!("does not open: {e}")),
        }
        self.match_history().await
    }

    /// Finds the first part of the history that the log shows; it must have what was acknowledged.
    async fn match_history(&mut self) -> Outcome {
        let found = self.observe().await?;
        let mut candidate = self.base.clone();
        let acknowledged = self.acknowledged.swap(0, Ordering::SeqCst);
        let steps = std::mem::take(&mut self.steps);
        let mut matches = acknowledged == 0 && is_same(&candidate, &found);
        for (i, step) in steps.iter().enumerate() {
            if matches {
                break;
            }
            apply(&mut candidate, step);
            matches = i + 1 >= acknowledged && is_same(&candidate, &found);
        }
        if !matches {
            let tail = &steps[acknowledged.saturating_sub(3)..];
            return Err(format!(
                "what was found is no continuation of what was acknowledged\nfound {found:?}\nacknowledged {acknowledged} of {} steps, then {tail:?}",
                steps.len()
            ));
        }
        self.now.clone_from(&candidate);
        self.base = candidate;
        Ok(())
    }

    async fn observe(&self) -> Result<Reference, String> {
        let mut found = Reference::new();
        for group in self.world.wal().groups() {
            let log = self.world.log(group);
            let state = log.state();
            if let Some(committed) = state.committed
                && !self.hints.get(&group).is_some_and(|h| h.contains(&committed.index))
            {
                return Err(format!("group {group} has a hint that nobody gave: {committed:?}"));
            }
            let entries = log
                .read(0, u64::MAX, u64::MAX)
                .await
                .map_err(|e| format!("cannot read group {group}: {e}"))?;
            let entries = entries.into_iter().map(|e| (e.mark.index, e)).collect();
            found.insert(group, Group { purged: state.purged, last: state.last, vote: state.vote, entries });
        }
        Ok(found)
    }
}

/// A group that has nothing is as good as none.
fn is_same(a: &Reference, b: &Reference) -> bool {
    let none = Group::default();
    a.keys().chain(b.keys()).all(|id| a.get(id).unwrap_or(&none) == b.get(id).unwrap_or(&none))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Outcome {
    if found == wanted { Ok(()) } else { Err(format!("{what}\nfound  {found:?}\nwanted {wanted:?}")) }
}

/// One run. At its end the log is crashed once more, with everything acknowledged.
fn play(ops: &[Op], seed: u64, lying: bool) -> Outcome {
    run(async {
        let mut model = Model::new().await;
        model.world.disk.lie_about_syncs(lying);
        for (i, op) in ops.iter().enumerate() {
            let seed = seed.wrapping_add(i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            model.perform(op, seed).await.map_err(|e| format!("at {i} {op:?}: {e}"))?;
        }
        if model.fault.is_none() {
            model.wait().await.map_err(|e| e.to_string())?;
        }
        model.after_crash(seed).await.map_err(|e| format!("at the end: {e}"))
    })
}

fn config(cases: u32) -> Config {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    Config {
        cases: wanted.unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 4000,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config(400))]
    #[test]
    fn wal_shows_a_first_part_of_its_history_with_all_that_was_acknowledged(
        ops in proptest::collection::vec(op(), 1..120), seed: u64,
    ) {
        if let Err(why) = play(&ops, seed, false) {
            return Err(TestCaseError::fail(why));
        }
    }
}

/// The model must be able to fail: a disk that only pretends to sync loses acknowledged entries.
#[test]
fn wal_model_catches_a_disk_that_lies_about_syncs() {
    let mut runner = TestRunner::deterministic();
    let strategy = (proptest::collection::vec(op(), 20..60), any::<u64>());
    let caught = (0..40).find_map(|_| {
        let (ops, seed) = strategy.new_tree(&mut runner).expect("a case").current();
        let honest = |op: &Op| !matches!(op, Op::Fault(_) | Op::Kill | Op::Close);
        let ops: Vec<_> = ops.into_iter().filter(honest).collect();
        play(&ops, seed, true).err()
    });
    let why = caught.expect("forty runs on a lying disk and nothing was missed");
    assert!(
        why.contains("no continuation of what was acknowledged") || why.contains("does not open"),
        "{why}"
    );
}
