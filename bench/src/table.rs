//! One table for the terminal and for the documents, and which floors hold.

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::stats::{Series, ratio};

/// What a figure is measured in, and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Operations per second: more is better.
    PerSecond,
    /// Bytes: fewer is better.
    Bytes,
    /// Milliseconds: fewer is better.
    Milliseconds,
    /// A figure of one side by another of the same side.
    Ratio,
}

/// What was measured of one side.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Side {
    /// The figure, one sample a round.
    pub samples: Series,
    /// Median latencies in milliseconds; empty for sizes.
    pub p50_ms: Series,
    /// 99th percentiles in milliseconds; empty for sizes.
    pub p99_ms: Series,
}

/// One line: a figure of both sides, and what is promised of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// In what.
    pub unit: Unit,
    /// Our side.
    pub ours: Side,
    /// The peer's side.
    pub theirs: Side,
    /// What must hold; `None` where nothing is promised.
    pub floor: Option<Band>,
    /// What is aimed at.
    pub aim: Option<Band>,
}

/// What a band is laid around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Our median by the peer's.
    Ratio,
    /// Our median.
    Ours,
}

/// A range, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Of what.
    pub of: Of,
    /// At least this.
    pub least: f64,
    /// At most this, where it is bounded.
    pub most: Option<f64>,
}

impl Band {
    /// Around the ratio.
    pub const fn ratio(least: f64, most: Option<f64>) -> Self {
        Self { of: Of::Ratio, least, most }
    }

    /// Around our own figure.
    pub const fn ours(least: f64, most: Option<f64>) -> Self {
        Self { of: Of::Ours, least, most }
    }
}

impl Row {
    /// Ours by theirs.
    pub fn ratio(&self) -> f64 {
        ratio(&self.ours.samples, &self.theirs.samples)
    }

    /// Whether the promise is kept; `None` where there is none.
    pub fn holds(&self) -> Option<bool> {
        self.floor.map(|band| self.lies_within(band))
    }

    /// Whether the aim is reached; `None` where there is none.
    pub fn reached(&self) -> Option<bool> {
        self.aim.map(|band| self.lies_within(band))
    }

    /// A side without samples lies nowhere.
    fn lies_within(&self, band: Band) -> bool {
        let measured = !self.ours.samples.0.is_empty() && !self.theirs.samples.0.is_empty();
        let figure = if band.of == Of::Ratio { self.ratio() } else { self.ours.samples.median() };
        measured && figure >= band.least && band.most.is_none_or(|most| figure <= most)
    }
}

/// Renders the rows as a Markdown table, which is also what a terminal shows.
pub fn render(ours: &str, theirs: &str, rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["", ours, "p50 / p99 ms", theirs, "p50 / p99 ms", "ratio", "floor", "aim"]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            figure(row.unit, &row.ours.samples),
            latency(&row.ours),
            figure(row.unit, &row.theirs.samples),
            latency(&row.theirs),
            format!("{:.2}", row.ratio()),
            verdict(row.floor, row.holds(), row.unit),
            verdict(row.aim, row.reached(), row.unit),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn figure(unit: Unit, samples: &Series) -> String {
    let (least, greatest) = samples.spread();
    let show = |value| show(unit, value);
    format!("{}{} ({}–{})", show(samples.median()), suffix(unit), show(least), show(greatest))
}

fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::PerSecond => thousands(value),
        Unit::Bytes => format!("{:.0}", value / 1e6),
        Unit::Milliseconds if value >= 100.0 => thousands(value),
        Unit::Milliseconds | Unit::Ratio => format!("{value:.2}"),
    }
}

fn suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::PerSecond => "/s",
        Unit::Bytes => " MB",
        Unit::Milliseconds => " ms",
        Unit::Ratio => "",
    }
}

fn latency(side: &Side) -> String {
    if side.p50_ms.0.is_empty() {
        return String::new();
    }
    format!("{:.2} / {:.2}", side.p50_ms.median(), side.p99_ms.median())
}

/// A band, and whether the figure lies within.
fn verdict(band: Option<Band>, holds: Option<bool>, unit: Unit) -> String {
    let (Some(band), Some(holds)) = (band, holds) else { return String::new() };
    let end = |value: f64| match band.of {
        Of::Ratio => format!("{value:.2}"),
        Of::Ours => format!("{}{}", show(unit, value), suffix(unit)),
    };
    let range = match band.most {
        None => format!("≥ {}", end(band.least)),
        Some(most) if band.least <= 0.0 => format!("≤ {}", end(most)),
        Some(most) => format!("{}–{}", end(band.least), end(most)),
    };
    format!("{range}: {}", if holds { "yes" } else { "NO" })
}

/// `12345.6` as `12 346`.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, theirs: f64, floor: Option<Band>) -> Row {
        let side = |value| Side { samples: Series(vec![value]), ..Side::default() };
        Row {
            name: "put, 64".into(),
            unit: Unit::PerSecond,
            ours: side(ours),
            theirs: side(theirs),
            floor,
            aim: None,
        }
    }

    #[test]
    fn a_floor_holds_at_its_edge_and_not_below() {
        let floor = Some(Band::ratio(1.2, None));
        assert_eq!(row(120.0, 100.0, floor).holds(), Some(true));
        assert_eq!(row(119.0, 100.0, floor).holds(), Some(false));
        assert_eq!(row(1.0, 100.0, None).holds(), None);
    }

    #[test]
    fn a_band_is_broken_on_either_side() {
        let band = Some(Band::ratio(0.8, Some(1.25)));
        assert_eq!(row(100.0, 100.0, band).holds(), Some(true));
        assert_eq!(row(130.0, 100.0, band).holds(), Some(false));
        assert_eq!(row(70.0, 100.0, band).holds(), Some(false));
    }

    #[test]
    fn a_side_without_samples_keeps_no_promise() {
        let mut empty = row(100.0, 100.0, Some(Band::ratio(1.2, None)));
        empty.theirs = Side::default();
        assert_eq!(empty.holds(), Some(false));
    }

    #[test]
    fn the_table_is_markdown_with_the_verdict() {
        let text = render("ours", "peer", &[row(24_691.2, 12_345.6, Some(Band::ratio(1.2, None)))]);
        assert!(text.contains("24 691/s (24 691–24 691)"), "{text}");
        assert!(text.contains("2.00") && text.contains("≥ 1.20: yes"), "{text}");
        assert!(text.lines().nth(1).is_some_and(|line| line.starts_with("|--")), "{text}");
    }
}
