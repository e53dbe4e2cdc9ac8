//! Against what PostgreSQL 15 says.

use crate::functions::testing::{ask, connection};

mod arithmetic;
mod conversions;
mod cuts;
mod fields;
mod made;
mod overlaps;
mod painted;
mod read;
mod several;

/// Checks a table; what is wrong is told at once.
fn check(rows: &[(&str, &str)]) {
    let connection = connection();
    let mut wrong = Vec::new();
    for (expression, expected) in rows {
        let got = ask(&connection, expression);
        if got != *expected {
            wrong.push(format!("{expression}: {got}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn times_are_added_and_subtracted() {
    check(arithmetic::ROWS);
}

#[test]
fn times_become_others() {
    check(conversions::ROWS);
}

#[test]
fn times_have_fields() {
    check(fields::ROWS);
}

#[test]
fn times_are_cut_off() {
    check(cuts::ROWS);
}

#[test]
fn times_are_made_of_parts() {
    check(made::ROWS);
}

#[test]
fn spans_of_time_overlap() {
    check(overlaps::ROWS);
}

#[test]
fn times_are_shown_by_a_picture() {
    check(painted::ROWS);
}

#[test]
fn times_are_read_by_a_picture() {
    check(read::ROWS);
}

#[test]
fn series_sums_and_now_are_postgresqls() {
    check(several::ROWS);
}
