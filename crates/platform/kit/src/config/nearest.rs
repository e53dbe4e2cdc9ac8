//! What somebody probably meant.

/// The candidate that is closest to `given`, if it is close enough to be a slip of the fingers.
pub(super) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let patience = (given.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|candidate| (distance(given, candidate), *candidate))
        .filter(|(distance, _)| *distance <= patience)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to add, drop, change, or swap with a neighbour, and `-` for `_` for free.
fn distance(a: &str, b: &str) -> usize {
    let letters = |s: &str| -> Vec<char> { s.to_lowercase().replace('-', "_").chars().collect() };
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(x != y)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["heartbeat", "election", "data_dir", "name"];
        for (given, meant) in [
            ("hartbeat", Some("heartbeat")),
            ("heratbeat", Some("heartbeat")),
            ("Election", Some("election")),
            ("data-dir", Some("data_dir")),
            ("datadir", Some("data_dir")),
            ("nam", Some("name")),
            ("x", None),
            ("compression", None),
        ] {
            assert_eq!(nearest(given, &known), meant, "{given}");
        }
    }
}
