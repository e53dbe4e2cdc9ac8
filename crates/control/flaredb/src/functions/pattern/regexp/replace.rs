//! `regexp_replace`.

use crate::base::error::SqlError;
use regex_automata::Span;
use rusqlite::types::Value;

use super::engine::{Matches, Regexp};
use super::{at_least, kept, start};
use crate::functions::call::{Answer, Call, Scalar, bounded, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] =
    &[strict("fl_regexp_replace", 4, replace_first_or_all), strict("fl_regexp_replace_nth", 6, replace_nth)];

/// The first match, or every one with the option `g`.
fn replace_first_or_all(call: &Call<'_>) -> Answer {
    let letters = call.text(3)?;
    let regexp = kept(call, 3, None).map_err(|error| {
        if !letters.starts_with(|c: char| c.is_ascii_digit()) {
            return error;
        }
        let hint = "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to \
                    integer explicitly.";
        error.with_hint(hint)
    })?;
    let wanted = if regexp.options.global { 0 } else { 1 };
    replaced(call, &regexp, 0, wanted)
}

/// The n-th match from a place on; 0: every one.
fn replace_nth(call: &Call<'_>) -> Answer {
    let from = at_least(call, 3, 1, "start")?;
    // Not said, it is the first match; with `g` that is every one.
    let wanted = at_least(call, 4, 0, "n")?;
    let regexp = kept(call, 5, None)?;
    match start(call.text(0)?, from) {
        Some(from) => replaced(call, &regexp, from, wanted),
        None => Ok(call.text(0)?.to_owned().into()),
    }
}

fn replaced(call: &Call<'_>, regexp: &Regexp, from: usize, wanted: usize) -> Answer {
    let (text, replacement) = (call.text(0)?, call.text(2)?);
    let mut out = String::new();
    let mut at = 0;
    for (place, found) in Matches::new(regexp, text, from).enumerate() {
        let Some(span) = found[0] else { continue };
        if wanted != 0 && place + 1 != wanted {
            continue;
        }
        out.push_str(&text[at..span.start]);
        insert(&mut out, text, replacement, &found)?;
        at = span.end;
        if wanted != 0 {
            break;
        }
    }
    out.push_str(&text[at..]);
    bounded(out.len())?;
    Ok(Value::from(out))
}

/// `\1` to `\9`, `\&` and `\\`; any other backslash stands for itself.
fn insert(out: &mut String, text: &str, replacement: &str, found: &[Option<Span>]) -> Result<(), SqlError> {
    let mut rest = replacement;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let group = match behind.chars().next() {
            Some(digit @ '1'..='9') => Some(digit as usize - '0' as usize),
            Some('&') => Some(0),
            _ => None,
        };
        rest = match group {
            Some(group) => {
                if let Some(Some(span)) = found.get(group) {
                    out.push_str(&text[*span]);
                }
                &behind[1..]
            }
            None => {
                out.push('\\');
                behind.strip_prefix('\\').unwrap_or(behind)
            }
        };
    }
    out.push_str(rest);
    bounded(out.len())?;
    Ok(())
}
