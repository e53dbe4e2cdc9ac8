//! What is promised of each row, and what is aimed at: floors decide the exit status, aims are shown.

use crate::table::Band;

/// The floor and the aim of a row.
pub(super) fn promise(row: &str) -> (Option<Band>, Option<Band>) {
    let ratio = |least| Some(Band::ratio(least, None));
    let ours = |least| Some(Band::ours(least, None));
    let ours_at_most = |most| Some(Band::ours(0.0, Some(most)));
    match row {
        "insert, 64 connections" => (ratio(0.7), ratio(1.0)),
        name if name.starts_with("point select") => (ratio(0.4), ratio(1.0)),
        "rows of COPY" => (ours(20_000.0), ours(50_000.0)),
        "memory of a server at rest" => (None, ours_at_most(40e6)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_by_the_peer_or_by_ourselves() {
        assert_eq!(promise("insert, 64 connections").0, Some(Band::ratio(0.7, None)));
        assert_eq!(promise("point select, 16 connections").0, Some(Band::ratio(0.4, None)));
        assert_eq!(promise("rows of COPY").0, Some(Band::ours(20_000.0, None)));
        assert_eq!(promise("insert, 1 connection"), (None, None));
    }
}
