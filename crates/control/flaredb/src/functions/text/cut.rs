//! Parts of texts and bytes.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::{Value, ValueRef};

use crate::functions::call::{Answer, Call, Scalar, bounded, out_of_range, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_substr", -1, substr),
    strict("fl_left", 2, |call| Ok(left(call.text(0)?, call.int(1)?).to_owned().into())),
    strict("fl_right", 2, right),
    strict("fl_split_part", 3, split_part),
    strict("fl_overlay", -1, overlay),
    strict("fl_starts_with", 2, |call| Ok(call.text(0)?.starts_with(call.text(1)?).into())),
];

/// Texts by characters, bytes by bytes.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Piece<'a> {
    fn of(call: &Call<'a>, place: usize) -> Result<Self, SqlError> {
        match call.value(place) {
            ValueRef::Blob(bytes) => Ok(Self::Bytes(bytes)),
            _ => Ok(Self::Text(call.text(place)?)),
        }
    }

    /// What begins at a place (from 1) and ends before another; places outside are taken to the ends.
    fn between(self, from: i64, to: i64) -> Self {
        let skip = usize::try_from(from - 1).unwrap_or(0);
        let end = usize::try_from(to - 1).unwrap_or(0).max(skip);
        match self {
            Self::Text(text) => Self::Text(&text[offset(text, skip)..offset(text, end)]),
            Self::Bytes(bytes) => Self::Bytes(&bytes[skip.min(bytes.len())..end.min(bytes.len())]),
        }
    }

    fn len(self) -> i64 {
        let length = match self {
            Self::Text(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
        };
        i64::try_from(length).unwrap_or(i64::MAX)
    }

    fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl From<Piece<'_>> for Value {
    fn from(piece: Piece<'_>) -> Self {
        match piece {
            Piece::Text(text) => text.to_owned().into(),
            Piece::Bytes(bytes) => bytes.to_vec().into(),
        }
    }
}

/// Where a character begins; behind the last one, the end.
pub(crate) fn offset(text: &str, characters: usize) -> usize {
    text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)
}

/// `substring(x from start for length)`: places before the first count, but hold nothing.
fn substr(call: &Call<'_>) -> Answer {
    let piece = Piece::of(call, 0)?;
    let start = call.int(1)?;
    let end = if call.count() > 2 {
        let length = call.int(2)?;
        if length < 0 {
            return Err(negative_length());
        }
        start.saturating_add(length)
    } else {
        i64::MAX
    };
    Ok(piece.between(start.max(1), end.max(1)).into())
}

fn negative_length() -> SqlError {
    SqlError::new(SqlState::SUBSTRING_ERROR, "negative substring length not allowed")
}

/// A negative count says how many are left out.
fn left(text: &str, count: i64) -> &str {
    &text[..offset(text, kept(text, count))]
}

fn right(call: &Call<'_>) -> Answer {
    let (text, count) = (call.text(0)?, call.int(1)?);
    let all = text.chars().count();
    Ok(text[offset(text, all - kept(text, count))..].to_owned().into())
}

/// How many characters are meant, none beyond those that there are.
fn kept(text: &str, count: i64) -> usize {
    let all = text.chars().count();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 { all.saturating_sub(wanted) } else { all.min(wanted) }
}

/// A negative field counts from the end; a field that is not there is empty.
fn split_part(call: &Call<'_>) -> Answer {
    let (text, delimiter, field) = (call.text(0)?, call.text(1)?, call.int(2)?);
    if field == 0 {
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let place = usize::try_from(field.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let part = match (delimiter.is_empty(), field > 0) {
        (true, _) => (place == 0).then_some(text),
        (false, true) => text.split(delimiter).nth(place),
        (false, false) => text.rsplit(delimiter).nth(place),
    };
    Ok(part.unwrap_or_default().to_owned().into())
}

/// `overlay(x placing new from start for length)`.
fn overlay(call: &Call<'_>) -> Answer {
    let (old, new, start) = (Piece::of(call, 0)?, Piece::of(call, 1)?, call.int(2)?);
    let length = if call.count() > 3 { call.int(3)? } else { new.len() };
    if start <= 0 {
        return Err(negative_length());
    }
    let behind = start + length;
    if i32::try_from(behind).is_err() {
        return Err(out_of_range("integer"));
    }
    let before = old.between(1, start).bytes();
    let after = old.between(behind.max(1), i64::MAX).bytes();
    bounded(before.len() + new.bytes().len() + after.len())?;
    let whole = [before, new.bytes(), after].concat();
    Ok(match old {
        Piece::Bytes(_) => whole.into(),
        Piece::Text(_) => String::from_utf8_lossy(&whole).into_owned().into(),
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn parts_are_as_postgresql_counts_them() {
        check(&[
            ("fl_substr('abc', 0, 2)", "a"),
            ("fl_substr('abc', -1, 5)", "abc"),
            ("fl_substr('abc', -5, 2147483647)", "abc"),
            ("fl_substr('éàü', 2)", "àü"),
            ("fl_substr(x'010203', 2, 1)", "x'02'"),
            ("fl_substr('abc', 1, -1)", "22011: negative substring length not allowed"),
            ("fl_left('abc', -1)", "ab"),
            ("fl_left('abc', -5)", ""),
            ("fl_right('abc', -1)", "bc"),
            ("fl_right('abc', 2)", "bc"),
            ("fl_split_part('a,b,c', ',', -1)", "c"),
            ("fl_split_part('abc', '', 1)", "abc"),
            ("fl_split_part('a', ',', 0)", "22023: field position must not be zero"),
            ("fl_overlay('Txxxxas', 'hom', 2, 4)", "Thomas"),
            ("fl_overlay('abc', 'zz', 2, -1)", "azzabc"),
            ("fl_overlay('abc', 'x', 2, 2147483647)", "22003: integer out of range"),
            ("fl_starts_with('abc', 'ab')", "1"),
        ]);
    }
}
