//! `regexp_matches`.

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};

use super::table::{Rows, Source};
use crate::functions::call::text;
use crate::functions::pattern::regexp::engine::{Matches, Regexp};
use crate::functions::pattern::regexp::options::Options;
use crate::functions::pattern::regexp::parts;

/// What SQLite calls.
pub(crate) const SOURCES: &[Source] =
    &[Source { name: "fl_regexp_matches", columns: &["value"], arguments: 3, run: matches }];

/// The first match, or every one with the option `g`.
fn matches(arguments: &[ValueRef<'_>], _evaluation: &Evaluation) -> Result<Rows, SqlError> {
    let (subject, pattern) = (text(arguments[0])?, text(arguments[1])?);
    let regexp = Regexp::new(pattern, Options::read(text(arguments[2])?)?)?;
    let most = if regexp.options.global { usize::MAX } else { 1 };
    let found = Matches::new(&regexp, subject, 0).take(most);
    let rows: Vec<_> = found.map(|found| Ok(vec![Value::Text(parts(subject, &found))])).collect();
    Ok(Box::new(rows.into_iter()))
}
