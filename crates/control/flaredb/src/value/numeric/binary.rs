//! PostgreSQL's binary form: groups of four digits.

use num_bigint::BigInt;

use super::{Numeric, power_of_ten};
use crate::base::{SqlError, SqlState};

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// Appends it.
pub(crate) fn to_binary(kept: &str, out: &mut Vec<u8>) -> Result<(), SqlError> {
    let value = Numeric::kept(kept)?;
    let sign = match &value {
        Numeric::NaN => NAN,
        Numeric::Infinity => INFINITY,
        _ => NEGATIVE_INFINITY,
    };
    let Numeric::Finite(value, scale) = &value else {
        special(sign, out);
        return Ok(());
    };
    let scale = *scale;
    let mut digits = value.magnitude().to_string();
    let fraction = scale as usize;
    if digits.len() <= fraction {
        digits = format!("{digits:0>width$}", width = fraction + 1);
    }
    let (whole, behind) = digits.split_at(digits.len() - fraction);
    let width = whole.len().div_ceil(4) * 4;
    let padded = format!("{whole:0>width$}{behind}{}", "0".repeat((4 - behind.len() % 4) % 4));
    let mut groups: Vec<i16> = padded
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        .collect();
    let mut weight = i16::try_from(width / 4).unwrap_or(i16::MAX) - 1;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let sign = if kept.starts_with('-') { NEGATIVE } else { 0 };
    out.extend_from_slice(&i16::try_from(groups.len()).unwrap_or(i16::MAX).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&u16::try_from(scale).unwrap_or(u16::MAX).to_be_bytes());
    groups.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
    Ok(())
}

/// What is no number: its sign alone.
fn special(sign: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&[0; 2]);
}

/// The kept form. Errors: 22P03.
pub(crate) fn from_binary(bytes: &[u8]) -> Result<String, SqlError> {
    let malformed =
        || SqlError::new(SqlState::INVALID_BINARY_REPRESENTATION, "invalid external \"numeric\" value");
    let words: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else { return Err(malformed()) };
    if !bytes.len().is_multiple_of(2) || groups.len() != usize::from(*count) || *scale > 16_383 {
        return Err(malformed());
    }
    match *sign {
        NAN => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Ok("-Infinity".to_owned()),
        0 | NEGATIVE => {}
        _ => return Err(malformed()),
    }
    let mut value = BigInt::from(0);
    for group in groups {
        if *group > 9999 {
            return Err(malformed());
        }
        value = value * 10_000 + *group;
    }
    // The last group stands for so many digits behind the point.
    let behind = (i32::from(*count) - 1 - i32::from(weight.cast_signed())) * 4;
    let exact = if behind < 0 {
        Numeric::Finite(value * power_of_ten(behind.unsigned_abs()), 0)
    } else {
        Numeric::Finite(value, behind.unsigned_abs())
    };
    let rounded = super::truncate(&exact, i32::from(*scale))?;
    let signed = if *sign == NEGATIVE { super::arithmetic::negate(&rounded) } else { rounded };
    Ok(signed.checked()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for text in
            ["0", "0.00", "1", "-1", "12345678.90", "0.0001", "0.00001", "10000", "-99999999.9999", "NaN"]
        {
            let mut bytes = Vec::new();
            to_binary(text, &mut bytes).unwrap();
            assert_eq!(from_binary(&bytes).as_deref(), Ok(text));
        }
        assert!(from_binary(&[0, 1]).is_err());
        assert!(from_binary(&[0, 1, 0, 0, 0, 0, 0, 0, 0x7f, 0xff]).is_err());
    }
}
