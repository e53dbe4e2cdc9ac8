//! Text to a number, by a picture.

use super::{Anchor, Part, Picture};
use crate::base::error::{SqlError, SqlState};
use crate::functions::call::{Answer, Call};
use crate::value::numeric::Numeric;
use crate::value::numeric::convert;
use rusqlite::types::Value;

/// A text, and a picture.
pub(crate) fn number(call: &Call<'_>) -> Answer {
    let (text, picture) = (call.text(0)?, Picture::read(call.text(1)?)?);
    if picture.parts.is_empty() {
        return Ok(Value::Null);
    }
    for (is_there, name) in [(picture.scientific, "EEEE"), (picture.roman, "RN")] {
        if is_there {
            let message = format!("\"{name}\" not supported for input");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
    }
    let shift = picture.shift;
    let mut reader = Reader::new(text, picture);
    for part in std::mem::take(&mut reader.picture.parts) {
        if reader.at >= reader.text.len() {
            break;
        }
        reader.part(part);
    }
    let precision = i32::try_from(reader.picture.before + shift).unwrap_or(i32::MAX).min(1000);
    let scale = i32::try_from(reader.read_behind).unwrap_or(i32::MAX).min(1000);
    let value = Numeric::parse(&reader.result())?;
    let value = convert::fit(&value, ((precision.wrapping_add(scale)) << 16 | scale) + 4)?;
    if shift == 0 {
        return Ok(value.kept());
    }
    let power = Numeric::finite(crate::value::numeric::ten_to(i64::try_from(shift).unwrap_or(0)), 0);
    Ok(value.div(&power)?.kept())
}

struct Reader {
    picture: Picture,
    text: Vec<char>,
    at: usize,
    sign: Option<char>,
    digits: String,
    read_before: usize,
    read_behind: usize,
    read_point: bool,
}

impl Reader {
    fn new(text: &str, mut picture: Picture) -> Self {
        let apart = picture.plus || picture.minus;
        if !apart && picture.anchor == Anchor::Before && picture.before == picture.anchored_at {
            picture.anchor = Anchor::Behind;
        }
        Self {
            picture,
            text: text.chars().collect(),
            at: 0,
            sign: None,
            digits: String::new(),
            read_before: 0,
            read_behind: 0,
            read_point: false,
        }
    }

    fn next(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn result(&self) -> String {
        let digits = self.digits.strip_suffix('.').unwrap_or(&self.digits);
        format!("{}{digits}", self.sign.unwrap_or(' '))
    }

    fn part(&mut self, part: Part) {
        match part {
            Part::Nine | Part::Zero | Part::Point => {
                self.place(part);
                self.at += 1;
            }
            Part::Comma if self.next() == Some(',') => self.at += 1,
            Part::Minus if self.next() == Some('-') => self.take_sign('-'),
            Part::Plus if self.next() == Some('+') => self.take_sign('+'),
            Part::Sign if matches!(self.next(), Some('-' | '+')) => {
                let negative = self.next() == Some('-');
                self.take_sign(if negative { '-' } else { '+' });
            }
            Part::Currency | Part::Minus | Part::Plus | Part::Sign => self.skip(1),
            Part::Ordinal(_) if self.sign != Some('-') && !self.picture.point => self.skip(2),
            Part::Literal(_) => self.skip(1),
            _ => {}
        }
    }

    /// Past so many characters that belong to no number.
    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            match self.next() {
                Some(character) if !"0123456789.,+-".contains(character) => self.at += 1,
                _ => break,
            }
        }
    }

    fn place(&mut self, part: Part) {
        if self.next() == Some(' ') {
            self.at += 1;
        }
        if self.sign.is_none() && part != Part::Point && self.read_before + self.read_behind == 0 {
            self.leading_sign();
        }
        let Some(next) = self.next() else { return };
        let mut read = false;
        if next.is_ascii_digit() {
            if self.read_point && self.read_behind == self.picture.behind {
                return;
            }
            self.digits.push(next);
            *(if self.read_point { &mut self.read_behind } else { &mut self.read_before }) += 1;
            read = true;
        } else if self.picture.point && !self.read_point && next == '.' {
            self.digits.push('.');
            (self.read_point, read) = (true, true);
        }
        if self.sign.is_none() && self.read_before + self.read_behind > 0 {
            self.trailing_sign(read);
        }
    }

    fn leading_sign(&mut self) {
        let bracket = self.picture.brackets && self.next() == Some('<');
        match self.next() {
            Some(sign @ ('-' | '+')) if self.picture.anchor != Anchor::Behind => self.take_sign(sign),
            Some('-') => self.take_sign('-'),
            Some('+') => self.take_sign('+'),
            _ if bracket => self.take_sign('-'),
            _ => {}
        }
    }

    fn take_sign(&mut self, sign: char) {
        self.sign = Some(sign);
        self.at += 1;
    }

    /// A sign behind the last digit: where it stands is known only when it is there.
    fn trailing_sign(&mut self, read: bool) {
        let anchored = self.picture.anchor != Anchor::None;
        let behind = self.text.get(self.at + 1).copied();
        match (anchored, read) {
            (true, true) => {
                if let Some(sign @ ('-' | '+')) = behind {
                    self.sign = Some(sign);
                    self.at += 1;
                }
            }
            (false, false) if self.picture.plus || self.picture.minus => {
                self.sign = self.next().filter(|sign| matches!(sign, '-' | '+'));
            }
            _ => {}
        }
    }
}
