//! LIKE and ILIKE: `%` for any characters, `_` for one, an escape before either.
//!
//! A text is matched piece by piece, each at the first place where it fits, so that time grows with the product of
//! text and longest piece at worst.

use crate::base::error::{SqlError, SqlState};
use memchr::memmem;

use crate::functions::call::{Answer, Call, Scalar, strict};
use crate::functions::text::case::lowered;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_like", 3, |call| {
        let by = call.text(2)?;
        let pattern =
            call.kept_for(1, by, || Ok(Like::read(call.text(1)?.as_bytes(), escape(by)?, Unit::Character)))?;
        Ok(pattern.matches(call.text(0)?.as_bytes())?.into())
    }),
    strict("fl_ilike", 3, |call| {
        let by = lowered(call.text(2)?);
        let read = || Ok(Like::read(lowered(call.text(1)?).as_bytes(), escape(&by)?, Unit::Character));
        Ok(call.kept_for(1, &by, read)?.matches(lowered(call.text(0)?).as_bytes())?.into())
    }),
    strict("fl_bytea_like", 2, |call| {
        let pattern = call.kept_for(1, "", || Ok(Like::read(call.bytes(1)?, Some(b"\\"), Unit::Byte)))?;
        Ok(pattern.matches(call.bytes(0)?)?.into())
    }),
    strict("fl_like_escape", 2, like_escape),
];

/// What `_` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Character,
    Byte,
}

/// A pattern that was read.
#[derive(Debug)]
pub(crate) struct Like {
    /// Between the `%`: at least one.
    pieces: Vec<Piece>,
    unit: Unit,
    /// It ends with an escape: an error as soon as a text comes so far, for which `_%` stands in its place.
    broken: bool,
}

/// Literal bytes, with so many `_` behind each.
#[derive(Debug, Default)]
struct Piece(Vec<(Vec<u8>, usize)>);

/// The escape character: none for an empty text.
fn escape(text: &str) -> Result<Option<&[u8]>, SqlError> {
    if text.chars().count() > 1 {
        let error = SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        return Err(error.with_hint("Escape string must be empty or one character."));
    }
    Ok(Some(text.as_bytes()).filter(|text| !text.is_empty()))
}

impl Like {
    /// Reads a pattern.
    pub(crate) fn read(pattern: &[u8], escape: Option<&[u8]>, unit: Unit) -> Self {
        let mut pieces = vec![Piece::default()];
        let mut rest = pattern;
        while let Some(first) = rest.first() {
            let last = pieces.last_mut().expect("there is one from the start");
            if let Some(behind) = escape.and_then(|escape| rest.strip_prefix(escape)) {
                let Some(length) = width(behind) else {
                    last.any();
                    pieces.push(Piece::default());
                    return Self { pieces, unit, broken: true };
                };
                last.literal(&behind[..length]);
                rest = &behind[length..];
                continue;
            }
            match first {
                b'%' => pieces.push(Piece::default()),
                b'_' => last.any(),
                _ => last.literal(&rest[..1]),
            }
            rest = &rest[1..];
        }
        Self { pieces, unit, broken: false }
    }

    /// Whether the whole text fits.
    pub(crate) fn matches(&self, text: &[u8]) -> Result<bool, SqlError> {
        match (self.fits(text), self.broken) {
            (true, true) => {
                let message = "LIKE pattern must not end with escape character";
                Err(SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, message))
            }
            (fits, _) => Ok(fits),
        }
    }

    fn fits(&self, text: &[u8]) -> bool {
        let (first, others) = self.pieces.split_first().expect("there is one");
        let Some(mut at) = first.fits(text, 0, self.unit) else { return false };
        let Some((last, middle)) = others.split_last() else { return at == text.len() };
        for piece in middle {
            match piece.find(text, at, self.unit) {
                Some(end) => at = end,
                None => return false,
            }
        }
        last.ends(text, at, self.unit)
    }
}

impl Piece {
    fn literal(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some((literal, 0)) => literal.extend_from_slice(bytes),
            _ => self.0.push((bytes.to_vec(), 0)),
        }
    }

    fn any(&mut self) {
        match self.0.last_mut() {
            Some((_, any)) => *any += 1,
            None => self.0.push((Vec::new(), 1)),
        }
    }

    /// Where it ends if it begins here.
    fn fits(&self, text: &[u8], mut at: usize, unit: Unit) -> Option<usize> {
        for (literal, any) in &self.0 {
            if !text[at..].starts_with(literal) {
                return None;
            }
            at += literal.len();
            for _ in 0..*any {
                at += match unit {
                    Unit::Character => width(&text[at..])?,
                    Unit::Byte => text.get(at).map(|_| 1)?,
                };
            }
        }
        Some(at)
    }

    /// Where it ends at the first place where it fits.
    fn find(&self, text: &[u8], mut at: usize, unit: Unit) -> Option<usize> {
        let Some((literal, _)) = self.0.first() else { return Some(at) };
        loop {
            at += memmem::find(&text[at..], literal)?;
            if let Some(end) = self.fits(text, at, unit) {
                return Some(end);
            }
            at += if unit == Unit::Byte { 1 } else { width(&text[at..])? };
            if at > text.len() {
                return None;
            }
        }
    }

    /// Whether it fits at the end, not before a place.
    fn ends(&self, text: &[u8], from: usize, unit: Unit) -> bool {
        let literal: usize = self.0.iter().map(|(literal, _)| literal.len()).sum();
        let any: usize = self.0.iter().map(|(_, any)| any).sum();
        let widest = if unit == Unit::Byte { 1 } else { 4 };
        let earliest = text.len().saturating_sub(literal + widest * any).max(from);
        let latest = text.len().saturating_sub(literal + any);
        (earliest..=latest)
            .filter(|at| unit == Unit::Byte || text.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80))
            .any(|at| self.fits(text, at, unit) == Some(text.len()))
    }
}

/// Bytes of the character at the start. None: there is none.
fn width(text: &[u8]) -> Option<usize> {
    let first = text.first()?;
    let width = match first {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    };
    Some(width.min(text.len()))
}

/// A pattern with another escape, written with a backslash.
fn like_escape(call: &Call<'_>) -> Answer {
    let (pattern, escape) = (call.text(0)?, escape(call.text(1)?)?);
    let mut whole = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if escape.is_some_and(|escape| c.encode_utf8(&mut [0; 4]).as_bytes() == escape) {
            whole.push('\\');
            whole.extend(characters.next());
        } else if c == '\\' {
            whole.push_str("\\\\");
        } else {
            whole.push(c);
        }
    }
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The rule itself, without care for time.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|at| naive(&text[at..], rest)),
            ['\\', c, rest @ ..] => text.first() == Some(c) && naive(&text[1..], rest),
            ['_', rest @ ..] => !text.is_empty() && naive(&text[1..], rest),
            [c, rest @ ..] => text.first() == Some(c) && naive(&text[1..], rest),
        }
    }

    fn like(text: &str, pattern: &str) -> bool {
        Like::read(pattern.as_bytes(), Some(b"\\"), Unit::Character).matches(text.as_bytes()).unwrap()
    }

    proptest! {
        #[test]
        fn matching_by_pieces_is_matching_by_the_rule(text in "[abé]{0,8}", pattern in "([abé%_]|\\\\[a%_]){0,8}") {
            let characters: Vec<char> = text.chars().collect();
            let rule: Vec<char> = pattern.chars().collect();
            prop_assert_eq!(like(&text, &pattern), naive(&characters, &rule));
        }
    }

    #[test]
    fn many_percents_are_no_trouble() {
        let pattern = "%a".repeat(5000) + "%b";
        assert!(!like(&"a".repeat(100_000), &pattern));
    }

    #[test]
    fn an_escape_at_the_end_is_an_error_if_a_text_comes_so_far() {
        crate::functions::testing::check(&[
            (r"fl_like('abc', 'a\', '\')", "22025: LIKE pattern must not end with escape character"),
            (r"fl_like('x', 'a\', '\')", "0"),
            (r"fl_like('a', 'a\', '\')", "0"),
            ("fl_like('a%c', 'a#%c', '#')", "1"),
            ("fl_like('a', 'a', 'ab')", "22025: invalid escape string"),
            ("fl_ilike('ÉA', 'é_', '')", "1"),
            ("fl_bytea_like(x'c3a9', x'5f5f')", "1"),
            (r"fl_like_escape('a#%b\', '#')", r"a\%b\\"),
        ]);
    }
}
