//! What a comparison leaves: a table, a verdict, the samples as JSON, a section of a document.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::table::{self, Row};

/// A finished comparison.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The form of this file.
    pub schema_version: u32,
    /// The command that repeats it.
    pub command: String,
    /// When it ended (RFC 3339, seconds).
    pub date: String,
    /// The commit that was measured.
    pub commit: String,
    /// The machine, in one line.
    pub machine: String,
    /// How often each side was started.
    pub rounds: usize,
    /// What the columns are called.
    pub ours: String,
    /// What the peer is called.
    pub theirs: String,
    /// The figures.
    pub rows: Vec<Row>,
}

impl Report {
    /// The table.
    pub fn table(&self) -> String {
        table::render(&self.ours, &self.theirs, &self.rows)
    }

    /// Whether every floor holds.
    pub fn success(&self) -> bool {
        self.rows.iter().all(|row| row.holds() != Some(false))
    }

    /// One line.
    pub fn verdict(&self) -> String {
        let promised = self.rows.iter().filter(|row| row.holds().is_some()).count();
        let kept = self.rows.iter().filter(|row| row.holds() == Some(true)).count();
        let aimed = self.rows.iter().filter(|row| row.reached().is_some()).count();
        let reached = self.rows.iter().filter(|row| row.reached() == Some(true)).count();
        format!("{kept} of {promised} floors hold, {reached} of {aimed} aims are reached")
    }

    /// Every sample.
    pub fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The section of a document: provenance, then the table.
    pub fn section(&self) -> String {
        format!(
            "`{}`, {}, commit {}, {} rounds, medians with (least–greatest).\nMachine: {}.\n\n{}\n",
            self.command,
            self.date,
            self.commit,
            self.rounds,
            self.machine,
            self.table()
        )
    }
}

/// Replaces what stands between `<!-- bench NAME: begin -->` and `<!-- bench NAME: end -->`.
pub fn write_section(file: &Path, name: &str, section: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let replaced = replace_section(&text, name, section)
        .with_context(|| format!("{} lacks the markers of section {name}", file.display()))?;
    ensure!(replaced.contains(section), "the section was lost");
    std::fs::write(file, replaced).with_context(|| format!("cannot write {}", file.display()))
}

fn replace_section(text: &str, name: &str, section: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- bench {name}: begin -->"), format!("<!-- bench {name}: end -->"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{section}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_between_its_markers() {
        let text = "a\n<!-- bench x: begin -->\nold\n<!-- bench x: end -->\nb\n";
        let once = replace_section(text, "x", "new\n").expect("markers");
        assert_eq!(once, "a\n<!-- bench x: begin -->\nnew\n<!-- bench x: end -->\nb\n");
        assert_eq!(replace_section(&once, "x", "new\n"), Some(once.clone()));
        assert_eq!(replace_section(text, "y", "new\n"), None);
    }
}
