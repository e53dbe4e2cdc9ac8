//! `to_char` and `to_number`: what a picture such as `FM9G999D00S` says.

use crate::base::error::{SqlError, SqlState};
use crate::functions::call::{Scalar, strict};

pub(crate) mod digits;
pub(crate) mod number;
pub(crate) mod read;
#[cfg(test)]
mod tests;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_to_char_number", 2, number::of_numeric),
    strict("fl_to_char_float", 3, number::of_float),
    strict("fl_to_number", 2, read::number),
];

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Nine,
    Zero,
    /// `.` and `D`.
    Point,
    /// `,` and `G`.
    Comma,
    /// `L`: there is no currency, and a blank in its place.
    Currency,
    Minus,
    Plus,
    Sign,
    /// `S`: the sign at the number.
    Anchored,
    /// `PR`.
    Brackets,
    /// `RN`, and `rn` if it is true.
    Roman(bool),
    /// `TH`, and `th` if it is true.
    Ordinal(bool),
    /// `V`.
    Shift,
    Scientific,
    Fill,
    Blank,
    Spelled,
    Literal(char),
}

/// The words of pictures; a longer one stands before its beginnings.
const WORDS: &[(&str, Part)] = &[
    ("EEEE", Part::Scientific),
    ("FM", Part::Fill),
    ("MI", Part::Minus),
    ("PL", Part::Plus),
    ("PR", Part::Brackets),
    ("RN", Part::Roman(false)),
    ("SG", Part::Sign),
    ("SP", Part::Spelled),
    ("TH", Part::Ordinal(false)),
    (",", Part::Comma),
    (".", Part::Point),
    ("0", Part::Zero),
    ("9", Part::Nine),
    ("B", Part::Blank),
    ("D", Part::Point),
    ("G", Part::Comma),
    ("L", Part::Currency),
    ("S", Part::Anchored),
    ("V", Part::Shift),
];

/// Where `S` puts the sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anchor {
    #[default]
    None,
    Before,
    Behind,
}

/// A picture that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Picture {
    pub(crate) parts: Vec<Part>,
    /// Digits before the point, and behind it.
    pub(crate) before: usize,
    pub(crate) behind: usize,
    /// Digits behind `V`.
    pub(crate) shift: usize,
    /// Before which digit `S` stands.
    pub(crate) anchored_at: usize,
    pub(crate) anchor: Anchor,
    /// The place of the first `0` and behind that of the last one, in digits.
    pub(crate) zero_from: usize,
    pub(crate) zero_to: usize,
    pub(crate) zero: bool,
    pub(crate) point: bool,
    pub(crate) fill: bool,
    pub(crate) blank: bool,
    pub(crate) brackets: bool,
    pub(crate) plus: bool,
    pub(crate) minus: bool,
    pub(crate) roman: bool,
    pub(crate) shifted: bool,
    pub(crate) scientific: bool,
}

fn wrong(message: &str) -> SqlError {
    SqlError::new(SqlState::SYNTAX_ERROR, message)
}

impl Picture {
    /// Reads a picture. Errors: 42601.
    pub(crate) fn read(text: &str) -> Result<Self, SqlError> {
        let mut picture = Self::default();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((word, part)) = word(rest) {
                rest = rest.get(word..).unwrap_or("");
                picture.check(part)?;
                picture.count(part)?;
                picture.parts.push(part);
            } else if first == '"' {
                rest = picture.quoted(rest.get(1..).unwrap_or(""));
            } else {
                // A backslash means something before a quote only.
                let skipped = usize::from(rest.starts_with("\\\""));
                let literal = if skipped == 1 { '"' } else { first };
                picture.parts.push(Part::Literal(literal));
                rest = rest.get(skipped + literal.len_utf8()..).unwrap_or("");
            }
        }
        Ok(picture)
    }

    /// Up to the closing quote; what stands behind it.
    fn quoted<'a>(&mut self, text: &'a str) -> &'a str {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => self.parts.extend(characters.next().map(Part::Literal)),
                other => self.parts.push(Part::Literal(other)),
            }
        }
        characters.as_str()
    }

    /// Refuses what cannot stand together.
    fn check(&self, part: Part) -> Result<(), SqlError> {
        let anchored = self.anchor != Anchor::None;
        if self.scientific && part != Part::Scientific {
            return Err(wrong("\"EEEE\" must be the last pattern used"));
        }
        match part {
            Part::Nine if self.brackets => Err(wrong("\"9\" must be ahead of \"PR\"")),
            Part::Zero if self.brackets => Err(wrong("\"0\" must be ahead of \"PR\"")),
            Part::Point if self.point => Err(wrong("multiple decimal points")),
            Part::Point if self.shifted => Err(wrong("cannot use \"V\" and decimal point together")),
            Part::Shift if self.point => Err(wrong("cannot use \"V\" and decimal point together")),
            Part::Anchored if anchored => Err(wrong("cannot use \"S\" twice")),
            Part::Anchored if self.plus || self.minus || self.brackets => {
                Err(wrong("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together"))
            }
            Part::Minus if anchored => Err(wrong("cannot use \"S\" and \"MI\" together")),
            Part::Plus if anchored => Err(wrong("cannot use \"S\" and \"PL\" together")),
            Part::Sign if anchored => Err(wrong("cannot use \"S\" and \"SG\" together")),
            Part::Brackets if anchored || self.plus || self.minus => {
                Err(wrong("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together"))
            }
            Part::Scientific if self.scientific => Err(wrong("cannot use \"EEEE\" twice")),
            Part::Scientific if anchored || self.is_special() => {
                Err(wrong("\"EEEE\" is incompatible with other formats")
                    .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns."))
            }
            _ => Ok(()),
        }
    }

    fn is_special(&self) -> bool {
        self.blank || self.fill || self.brackets || self.plus || self.minus || self.roman || self.shifted
    }

    /// Takes a part into account.
    fn count(&mut self, part: Part) -> Result<(), SqlError> {
        match part {
            Part::Nine if self.shifted => self.shift += 1,
            Part::Nine if self.point => self.behind += 1,
            Part::Nine => self.before += 1,
            Part::Zero => {
                if !self.zero && !self.point {
                    (self.zero, self.zero_from) = (true, self.before);
                }
                *(if self.point { &mut self.behind } else { &mut self.before }) += 1;
                self.zero_to = self.before + self.behind;
            }
            Part::Blank => self.blank |= self.before == 0 && self.behind == 0 && !self.zero,
            Part::Point => self.point = true,
            Part::Fill => self.fill = true,
            Part::Anchored if self.point => self.anchor = Anchor::Behind,
            Part::Anchored => (self.anchor, self.anchored_at) = (Anchor::Before, self.before),
            Part::Minus => self.minus = true,
            Part::Plus => self.plus = true,
            Part::Sign => (self.plus, self.minus) = (true, true),
            Part::Brackets => self.brackets = true,
            Part::Roman(_) => self.roman = true,
            Part::Shift => self.shifted = true,
            Part::Scientific => self.scientific = true,
            _ => {}
        }
        Ok(())
    }
}

/// The word that a text begins with: its length, and what it is. All of it is in one case.
fn word(text: &str) -> Option<(usize, Part)> {
    WORDS.iter().find_map(|(word, part)| {
        let start = text.get(..word.len())?;
        let small = start.bytes().all(|byte| !byte.is_ascii_uppercase())
            && start.bytes().any(|byte| byte.is_ascii_lowercase());
        match part {
            _ if start == *word => Some((word.len(), *part)),
            Part::Roman(_) if small && start.eq_ignore_ascii_case(word) => {
                Some((word.len(), Part::Roman(true)))
            }
            Part::Ordinal(_) if small && start.eq_ignore_ascii_case(word) => {
                Some((word.len(), Part::Ordinal(true)))
            }
            _ if small && start.eq_ignore_ascii_case(word) => Some((word.len(), *part)),
            _ => None,
        }
    })
}
