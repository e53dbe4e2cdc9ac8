//! What was found, and how it is told.

use std::path::PathBuf;

use history::Call;
use history::check::Summary;
use history::kept::Round;
use history::load::Tally;
use serde::Serialize;
use serde_json::{Value, json};

use super::hashes::Hashes;
use crate::output::{Column, Report as Output};

const COLUMNS: &[Column] =
    &[Column::always("CHECK", "check"), Column::always("RESULT", "result"), Column::always("SEEN", "seen")];

/// Everything that a run found.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Who served.
    pub(super) endpoints: Vec<String>,
    /// How many asked.
    pub(super) clients: u32,
    /// Of every choice.
    pub(super) seed: u64,
    /// How long it ran.
    pub(super) seconds: f64,
    /// Rounds that were judged and are right.
    pub(super) rounds: u64,
    /// Operations.
    pub(super) tally: Tally,
    /// What the first operation that failed was told.
    pub(super) first_failure: Option<String>,
    /// Of all rounds together.
    pub(super) summary: Summary,
    /// Watches of the last round.
    pub(super) watches: usize,
    /// How often a watch had to begin again.
    pub(super) resumed: i64,
    /// Whether the replicas are alike.
    pub(super) hashes: Hashes,
    /// What a correct store cannot show. Ends the run.
    pub(super) violation: Option<String>,
    /// Where the round that shows it is.
    pub(super) evidence: Option<PathBuf>,
    /// What could not be looked at.
    pub(super) unsure: Vec<String>,
    /// The file that was judged instead of a cluster.
    pub(super) file: Option<PathBuf>,
}

impl Default for Hashes {
    fn default() -> Self {
        Self::Unknown { why: "they were not compared".to_owned() }
    }
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Everything that was seen is what a correct store shows.
    Correct,
    /// Something is wrong.
    Violated,
    /// Nothing is wrong, and not everything could be looked at.
    Incomplete,
}

impl Report {
    /// Adds a round that is right.
    pub(super) fn add(&mut self, summary: &Summary, round: &Round) {
        self.rounds += 1;
        self.watches = round.watches.len();
        self.summary = std::mem::take(&mut self.summary).and(summary);
    }

    /// Adds a round's operations.
    pub(super) fn count(&mut self, tally: &Tally, failure: Option<String>) {
        self.tally.answered += tally.answered;
        self.tally.acknowledged += tally.acknowledged;
        self.tally.retried += tally.retried;
        self.tally.failed += tally.failed;
        self.first_failure = self.first_failure.take().or(failure);
    }

    /// As near as a file's calls tell: each is an operation.
    pub(super) fn count_calls(&mut self, calls: &[Call]) {
        let acknowledged = calls.iter().filter(|c| c.is_acknowledged_write()).count();
        self.tally.answered += calls.len() as u64;
        self.tally.acknowledged += acknowledged as u64;
    }

    /// A line for whoever waits, in the middle of a round.
    pub(super) fn tell(&self, now: &Tally) {
        let (answered, failed) = (self.tally.answered + now.answered, self.tally.failed + now.failed);
        eprintln!("uc: {answered} operations answered, {failed} failed");
    }

    /// A line for whoever waits, after a round.
    pub(super) fn progress(&self) {
        let (summary, word) = (&self.summary, if self.violation.is_some() { "WRONG" } else { "right" });
        eprintln!(
            "uc: {:.0} s: {} rounds {word}, {} calls, {} operations failed, longest pause {} ms",
            self.seconds, self.rounds, summary.calls, self.tally.failed, summary.longest_write_pause_ms
        );
    }

    pub(super) fn verdict(&self) -> Verdict {
        let compared = self.file.is_some() || !matches!(self.hashes, Hashes::Unknown { .. });
        match (&self.violation, &self.hashes) {
            (Some(_), _) | (_, Hashes::Differ { .. }) => Verdict::Violated,
            _ if self.tally.acknowledged == 0 || !self.unsure.is_empty() || !compared => Verdict::Incomplete,
            _ => Verdict::Correct,
        }
    }

    /// For printing.
    pub(super) fn report(self) -> Output {
        let mut output = Output::new(COLUMNS, "check");
        output.rows = self.rows();
        output.document = Some(self.document());
        output.complaints = self.complaints();
        output
    }

    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(violation) = &self.violation {
            let where_ = self.evidence.as_ref().map(|p| format!("; the round is kept in {}", p.display()));
            complaints.push(format!("WRONG: {violation}{}", where_.unwrap_or_default()));
        }
        match &self.hashes {
            Hashes::Differ { revision, .. } => {
                complaints.push(format!("WRONG: the replicas' stores differ at revision {revision}"));
            }
            Hashes::Unknown { why } if self.file.is_none() && self.violation.is_none() => {
                complaints.push(format!("the replicas' hashes could not be compared: {why}"));
            }
            _ => {}
        }
        if self.tally.acknowledged == 0 && self.violation.is_none() {
            let why = self.first_failure.as_deref().unwrap_or("there was no time");
            complaints.push(format!("no write was acknowledged, so nothing is proven: {why}"));
        }
        complaints.extend(self.unsure.iter().cloned());
        complaints
    }

    fn rows(&self) -> Vec<Value> {
        let (tally, summary) = (&self.tally, &self.summary);
        let row =
            |check: &str, result: &str, seen: String| json!({"check": check, "result": result, "seen": seen});
        let right = if self.violation.is_none() { "right" } else { "WRONG" };
        let mut rows = Vec::new();
        if self.file.is_none() {
            let result = if tally.failed == 0 { "served" } else { "FAILURES" };
            rows.push(row(
                "operations",
                result,
                format!(
                    "{} answered in {:.1} s, {} of them by a second endpoint; {} failed",
                    tally.answered, self.seconds, tally.retried, tally.failed
                ),
            ));
        }
        rows.push(row(
            "linearizable",
            right,
            format!(
                "{} calls on {} registers: {} reads, {} writes, {} of unknown outcome; longest pause {} ms",
                summary.calls,
                summary.registers,
                summary.reads,
                summary.acknowledged_writes,
                summary.unknown_writes,
                summary.longest_write_pause_ms
            ),
        ));
        rows.push(row(
            "watches",
            right,
            format!(
                "{} watches, {} events: each write once, whole and in order",
                self.watches, summary.events
            ),
        ));
        if self.file.is_none() {
            let (result, seen) = match &self.hashes {
                Hashes::Agree { revision, hash, endpoints } => {
                    ("right", format!("{hash:08x} on all {endpoints} at revision {revision}"))
                }
                Hashes::Differ { revision, .. } => ("WRONG", format!("they differ at revision {revision}")),
                Hashes::NotOffered => ("skipped", "the server makes no hashes".to_owned()),
                Hashes::Unknown { why } => ("unknown", why.clone()),
            };
            rows.push(row("hashes", result, seen));
        }
        rows
    }

    fn document(&self) -> Value {
        json!({
            "schema_version": 1,
            "verdict": self.verdict(),
            "seconds": self.seconds,
            "rounds": self.rounds,
            "endpoints": self.endpoints,
            "clients": self.clients,
            "seed": self.seed,
            "operations": self.tally,
            "first_failure": self.first_failure,
            "history": self.summary,
            "watches_resumed": self.resumed,
            "hashes": self.hashes,
            "violation": self.violation,
            "evidence": self.evidence,
            "incomplete": self.unsure,
            "file": self.file,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        let mut report = Report { hashes: Hashes::NotOffered, ..Report::default() };
        report.count(&Tally { answered: 9, acknowledged: 5, ..Tally::default() }, None);
        report
    }

    #[test]
    fn only_what_was_looked_at_and_is_right_is_correct() {
        assert_eq!(good().verdict(), Verdict::Correct);
        assert!(good().complaints().is_empty());
        let nothing = Report { hashes: Hashes::NotOffered, ..Report::default() };
        assert_eq!(nothing.verdict(), Verdict::Incomplete);
        let away = Report { unsure: vec!["node03 is away".into()], ..good() };
        assert_eq!(away.verdict(), Verdict::Incomplete);
        let wrong = Report { violation: Some("a stale read".into()), ..good() };
        assert_eq!(wrong.verdict(), Verdict::Violated);
        let diverged = Report { hashes: Hashes::Differ { revision: 3, hashes: vec![] }, ..good() };
        assert_eq!(diverged.verdict(), Verdict::Violated);
        let unknown = Report { hashes: Hashes::default(), ..good() };
        assert_eq!(unknown.verdict(), Verdict::Incomplete);
        for report in [nothing, away, wrong, diverged, unknown] {
            assert!(!report.complaints().is_empty(), "{report:?} must not exit with 0");
        }
    }
}
