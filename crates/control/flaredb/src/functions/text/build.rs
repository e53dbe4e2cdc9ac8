//! Texts that grow: padding, repetition, replacement of characters.

use std::collections::BTreeMap;

use crate::base::error::SqlError;

use crate::functions::call::{Answer, Call, LARGEST, Scalar, bounded, strict, too_large};
use crate::functions::text::cut::offset;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_lpad", 3, |call| pad(call, |padding, text| padding + text)),
    strict("fl_rpad", 3, |call| pad(call, |padding, text| text.to_owned() + &padding)),
    strict("fl_repeat", 2, repeat),
    strict("fl_reverse", 1, |call| Ok(call.text(0)?.chars().rev().collect::<String>().into())),
    strict("fl_translate", 3, translate),
];

/// To a length in characters; what is longer is cut at its end.
fn pad(call: &Call<'_>, join: fn(String, &str) -> String) -> Answer {
    let (text, fill) = (call.text(0)?, call.text(2)?);
    let wanted = usize::try_from(call.int(1)?).unwrap_or(0);
    let there = text.chars().count();
    if there >= wanted {
        return Ok(text[..offset(text, wanted)].to_owned().into());
    }
    if fill.is_empty() {
        return Ok(text.to_owned().into());
    }
    Ok(join(padding(fill, wanted - there)?, text).into())
}

/// So many characters, from the start of a text again and again.
fn padding(fill: &str, characters: usize) -> Result<String, SqlError> {
    let each = fill.chars().count();
    let (whole, rest) = (characters / each, characters % each);
    bounded(whole.checked_mul(fill.len()).ok_or_else(too_large)?)?;
    Ok(fill.repeat(whole) + &fill[..offset(fill, rest)])
}

fn repeat(call: &Call<'_>) -> Answer {
    let (text, times) = (call.text(0)?, usize::try_from(call.int(1)?).unwrap_or(0));
    bounded(times.checked_mul(text.len()).unwrap_or(LARGEST + 1))?;
    Ok(text.repeat(times).into())
}

/// Each character by its counterpart; one without a counterpart goes.
fn translate(call: &Call<'_>) -> Answer {
    let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let mut counterparts = BTreeMap::new();
    let mut to = to.chars();
    for c in from.chars() {
        let counterpart = to.next();
        counterparts.entry(c).or_insert(counterpart);
    }
    let translated = text.chars().filter_map(|c| counterparts.get(&c).copied().unwrap_or(Some(c)));
    Ok(translated.collect::<String>().into())
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn what_grows_is_bounded() {
        check(&[
            ("fl_lpad('hi', 5, 'xy')", "xyxhi"),
            ("fl_rpad('héllo', 2, 'x')", "hé"),
            ("fl_lpad('hi', 5, '')", "hi"),
            ("fl_repeat('ab', -1)", ""),
            ("fl_repeat('ab', 3)", "ababab"),
            ("fl_translate('12345', '143', 'ax')", "a2x5"),
            ("fl_reverse('abcé')", "écba"),
            ("fl_rpad('x', 1000000000, 'xé')", "54000: requested length too large"),
            ("fl_repeat('abcdefghij', 1000000000)", "54000: requested length too large"),
            ("fl_repeat('', 1000000000)", ""),
        ]);
    }
}
