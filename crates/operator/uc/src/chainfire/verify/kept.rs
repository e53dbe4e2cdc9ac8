//! Judges a history that was kept, round by round.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;
use history::check;
use history::kept::Reader;

use super::verdict::Report as Findings;
use crate::output::Report;

/// A file without a round proves nothing and is refused.
pub(super) fn judge(path: &Path) -> anyhow::Result<Report> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut findings = Findings { file: Some(path.to_owned()), ..Findings::default() };
    for round in Reader::new(BufReader::new(file)) {
        let round = round.with_context(|| format!("{} is not a whole history", path.display()))?;
        findings.count_calls(&round.calls);
        match check::round(&round) {
            Ok(summary) => findings.add(&summary, &round),
            Err(violation @ check::Violation::Undecided { .. }) => {
                findings.unsure.push(format!("round {}: {violation}", round.number));
            }
            Err(violation) => {
                findings.violation = Some(format!("round {}: {violation}", round.number));
                break;
            }
        }
    }
    anyhow::ensure!(
        findings.rounds > 0 || findings.violation.is_some() || !findings.unsure.is_empty(),
        "{} is empty: it holds no round of a history",
        path.display()
    );
    Ok(findings.report())
}
