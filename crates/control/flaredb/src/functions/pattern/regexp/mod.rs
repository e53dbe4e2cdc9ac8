//! Regular expressions and the functions that use them.

use crate::base::error::{SqlError, SqlState};
use regex_automata::Span;
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call, Scalar, bounded, strict};
use crate::functions::output::array_of_texts;
use crate::functions::text::cut::offset;

pub(crate) mod bracket;
pub(crate) mod engine;
pub(crate) mod options;
pub(crate) mod replace;
pub(crate) mod syntax;

use engine::{Found, Matches, Regexp};
use options::Options;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_regexp", 3, |call| Ok(kept(call, 2, None)?.is_match(call.text(0)?).into())),
    strict("fl_regexp_like", 3, |call| {
        Ok(kept(call, 2, Some("regexp_like"))?.is_match(call.text(0)?).into())
    }),
    strict("fl_regexp_match", 3, regexp_match),
    strict("fl_regexp_substring", 2, substring),
    strict("fl_regexp_count", 4, count),
    strict("fl_regexp_substr", 6, substr),
    strict("fl_regexp_instr", 7, instr),
    strict("fl_regexp_split", 3, split),
];

/// The pattern that is argument 1, with the options of an argument. `only_first` names a function that gives one
/// match and refuses to be asked for all.
pub(crate) fn kept(
    call: &Call<'_>,
    options: usize,
    only_first: Option<&str>,
) -> Result<std::sync::Arc<Regexp>, SqlError> {
    let letters = if options < call.count() { call.text(options)? } else { "" };
    call.kept_for(1, letters, || {
        let options = Options::read(letters)?;
        if let (Some(name), true) = (only_first, options.global) {
            let message = format!("{name}() does not support the \"global\" option");
            let error = SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message);
            return Err(match name {
                "regexp_match" => error.with_hint("Use the regexp_matches function instead."),
                _ => error,
            });
        }
        Regexp::new(call.text(1)?, options)
    })
}

/// The parts in parentheses, or the whole if there are none, as an array.
pub(crate) fn parts(text: &str, found: &[Option<Span>]) -> String {
    let wanted = if found.len() > 1 { &found[1..] } else { found };
    array_of_texts(wanted.iter().map(|span| span.map(|span| &text[span])))
}

fn first<'a>(call: &Call<'a>, regexp: &Regexp) -> Result<(&'a str, Option<Found>), SqlError> {
    let text = call.text(0)?;
    Ok((text, regexp.find(text, 0, &mut regexp.memory())))
}

fn regexp_match(call: &Call<'_>) -> Answer {
    let regexp = kept(call, 2, Some("regexp_match"))?;
    let (text, found) = first(call, &regexp)?;
    Ok(found.map(|found| parts(text, &found)).into())
}

/// `substring(x from pattern)`: the first part in parentheses, or the whole.
fn substring(call: &Call<'_>) -> Answer {
    let regexp = kept(call, 2, None)?;
    let (text, found) = first(call, &regexp)?;
    let wanted = usize::from(regexp.groups() > 0);
    Ok(found.and_then(|found| found[wanted]).map(|span| text[span].to_owned()).into())
}

/// An argument that must be at least so much.
pub(crate) fn at_least(call: &Call<'_>, place: usize, least: i64, name: &str) -> Result<usize, SqlError> {
    let value = call.int(place)?;
    match usize::try_from(value) {
        Ok(number) if value >= least => Ok(number),
        _ => {
            let message = format!("invalid value for parameter \"{name}\": {value}");
            Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
    }
}

/// Where a character's place (from 1) is; None: behind the end.
pub(crate) fn start(text: &str, place: usize) -> Option<usize> {
    let at = offset(text, place - 1);
    (at < text.len() || text.chars().count() == place - 1).then_some(at)
}

fn count(call: &Call<'_>) -> Answer {
    let from = at_least(call, 2, 1, "start")?;
    let regexp = kept(call, 3, Some("regexp_count"))?;
    let text = call.text(0)?;
    let all = start(text, from).map_or(0, |from| Matches::new(&regexp, text, from).count());
    Ok(i64::try_from(all).unwrap_or(i64::MAX).into())
}

/// The span of a part of the n-th match.
fn nth(
    call: &Call<'_>,
    regexp: &Regexp,
    (from, nth, part): (usize, usize, usize),
) -> Result<Option<Span>, SqlError> {
    let text = call.text(0)?;
    if part > regexp.groups() {
        return Ok(None);
    }
    let found = start(text, from).and_then(|from| Matches::new(regexp, text, from).nth(nth - 1));
    Ok(found.and_then(|found| found[part]))
}

fn substr(call: &Call<'_>) -> Answer {
    let from = at_least(call, 2, 1, "start")?;
    let number = at_least(call, 3, 1, "n")?;
    let part = at_least(call, 5, 0, "subexpr")?;
    let regexp = kept(call, 4, Some("regexp_substr"))?;
    let text = call.text(0)?;
    Ok(nth(call, &regexp, (from, number, part))?.map(|span| text[span].to_owned()).into())
}

fn instr(call: &Call<'_>) -> Answer {
    let from = at_least(call, 2, 1, "start")?;
    let number = at_least(call, 3, 1, "n")?;
    let end = at_least(call, 4, 0, "endoption")?;
    if end > 1 {
        let message = format!("invalid value for parameter \"endoption\": {end}");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
    }
    let part = at_least(call, 6, 0, "subexpr")?;
    let regexp = kept(call, 5, Some("regexp_instr"))?;
    let text = call.text(0)?;
    let at =
        nth(call, &regexp, (from, number, part))?.map(|span| if end == 1 { span.end } else { span.start });
    let place = at.map_or(0, |at| text[..at].chars().count() + 1);
    Ok(i64::try_from(place).unwrap_or(i64::MAX).into())
}

/// What stands between matches. Empty matches at an end or right behind another match are none.
fn split(call: &Call<'_>) -> Answer {
    let regexp = kept(call, 2, Some("regexp_split_to_array"))?;
    let text = call.text(0)?;
    let mut pieces = Vec::new();
    let mut at = 0;
    for found in Matches::new(&regexp, text, 0) {
        let Some(span) = found[0] else { continue };
        if span.start >= text.len() || span.end <= at {
            continue;
        }
        pieces.push(Some(&text[at..span.start]));
        at = span.end;
    }
    pieces.push(Some(&text[at..]));
    bounded(text.len() + pieces.len() * 3)?;
    Ok(Value::from(array_of_texts(pieces.into_iter())))
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn matches_are_found_where_postgresql_finds_them() {
        check(&[
            ("fl_regexp('foo bar', '\\mbar\\M', '')", "1"),
            ("fl_regexp('a\nb', 'a.b', '')", "1"),
            ("fl_regexp('a\nb', '(?n)a.b', '')", "0"),
            ("fl_regexp('a\nb', '^b', 'n')", "1"),
            ("fl_regexp('ABC', 'b', 'i')", "1"),
            ("fl_regexp('a+b', 'a+b', 'q')", "1"),
            ("fl_regexp_match('foobarbequebaz', '(bar)(beque)', '')", r#"["bar","beque"]"#),
            ("fl_regexp_match('abc', '(x)|b', '')", "[null]"),
            ("fl_regexp_match('abc', 'x', '')", "NULL"),
            ("fl_regexp_match('foobar', 'foo|foobar', '')", r#"["foobar"]"#),
            (r"fl_regexp_match('abc123', '(.*?)(\d+)', '')", r#"["abc","1"]"#),
            ("fl_regexp_substring('XY1234Z', 'Y*?([0-9]{1,3})')", "1"),
            ("fl_regexp_substring('XY1234Z', 'Y*([0-9]{1,3})')", "123"),
            ("fl_regexp_count('ab', 'a*', 1, '')", "3"),
            ("fl_regexp_substr('abc', '(b)(c)', 1, 1, '', 2)", "c"),
            ("fl_regexp_instr('abcabc', 'b', 1, 2, 1, '', 0)", "6"),
            (r"fl_regexp_split('the quick  fox', '\s+', '')", r#"["the","quick","fox"]"#),
            ("fl_regexp_split('abc', '', '')", r#"["a","b","c"]"#),
            (
                "fl_regexp_replace('foobarbaz', 'b(..)', 'X\\1Y\\&\\\\\\z', 'g')",
                "fooXarYbar\\\\zXazYbaz\\\\z",
            ),
            ("fl_regexp_replace('abc', 'b*', '-', 'g')", "-a--c-"),
            ("fl_regexp_replace_nth('hello', 'l', 'L', 1, 2, '')", "helLo"),
        ]);
    }

    #[test]
    fn bad_patterns_and_options_are_refused() {
        check(&[
            ("fl_regexp('', 'a**', '')", "2201B: invalid regular expression: quantifier operand invalid"),
            ("fl_regexp('', '(a', '')", "2201B: invalid regular expression: parentheses () not balanced"),
            ("fl_regexp('', '[a', '')", "2201B: invalid regular expression: brackets [] not balanced"),
            ("fl_regexp('', 'a{2,1}', '')", "2201B: invalid regular expression: invalid repetition count(s)"),
            ("fl_regexp('', '[z-a]', '')", "2201B: invalid regular expression: invalid character range"),
            (r"fl_regexp('', '\q', '')", r"2201B: invalid regular expression: invalid escape \ sequence"),
            ("fl_regexp('', '[[:foo:]]', '')", "2201B: invalid regular expression: invalid character class"),
            (
                "fl_regexp('', '((a{255}){255}){255}', '')",
                "2201B: invalid regular expression: regular expression is too complex",
            ),
            (
                "fl_regexp('', fl_repeat('(', 1000) || fl_repeat(')', 1000), '')",
                "2201B: invalid regular expression: regular expression is too complex",
            ),
            (
                "fl_regexp('', '(a)\\1', '')",
                "0A000: a back reference in a regular expression is not supported",
            ),
            (
                "fl_regexp('', '(?=a)', '')",
                "0A000: a look-around constraint in a regular expression is not supported",
            ),
            ("fl_regexp_match('', 'a', 'g')", "22023: regexp_match() does not support the \"global\" option"),
            ("fl_regexp_match('', 'a', 'z')", "22023: invalid regular expression option: \"z\""),
            ("fl_regexp_count('', 'a', 0, '')", "22023: invalid value for parameter \"start\": 0"),
        ]);
    }
}
