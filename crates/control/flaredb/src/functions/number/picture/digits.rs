//! A prepared number, laid out by its picture.

use super::{Anchor, Part, Picture};
use crate::base::error::{SqlError, SqlState};
use crate::functions::call::Answer;

/// A number without its sign, and what is known of its place in the picture.
pub(crate) struct Prepared {
    digits: Vec<char>,
    /// `+` or `-`; a Roman number has none.
    sign: Option<char>,
    /// Places of the picture before the first digit.
    blanks: usize,
}

impl Prepared {
    /// A number in digits. One that is too long becomes hash signs.
    pub(crate) fn plain(text: &str, picture: &Picture) -> Self {
        let (sign, digits) = text.strip_prefix('-').map_or(('+', text), |digits| ('-', digits));
        let length = digits.find('.').unwrap_or(digits.len());
        let digits = if length > picture.before {
            format!("{}.{}", "#".repeat(picture.before), "#".repeat(picture.behind))
        } else {
            digits.to_owned()
        };
        let blanks = picture.before.saturating_sub(length);
        Self { digits: digits.chars().collect(), sign: Some(sign), blanks }
    }

    /// A Roman number.
    pub(crate) fn roman(text: String) -> Self {
        Self { digits: text.chars().collect(), sign: None, blanks: 0 }
    }
}

/// Lays a number out.
pub(crate) fn shown(mut picture: Picture, number: Prepared) -> Answer {
    let parts = std::mem::take(&mut picture.parts);
    if picture.roman {
        picture = Picture { fill: picture.fill, roman: true, ..Picture::default() };
    }
    let mut layout = Layout::new(picture, number);
    parts.into_iter().try_for_each(|part| layout.part(part))?;
    Ok(layout.out.into())
}

struct Layout {
    picture: Picture,
    number: Prepared,
    out: String,
    /// The number ended before its picture did: nothing more is shown.
    ended: bool,
    signed: bool,
    /// Whether the last place showed a digit.
    inside: bool,
    /// The next digit, and how many places there were.
    at: usize,
    places: usize,
    /// At which place the number ends.
    count: usize,
    /// The last digit that `FM` leaves.
    last: Option<usize>,
}

impl Layout {
    fn new(mut picture: Picture, number: Prepared) -> Self {
        let negative = number.sign == Some('-');
        let apart = picture.plus || picture.minus;
        let signed = if apart {
            picture.minus
        } else {
            picture.brackets &= negative || !picture.fill;
            number.sign == Some('+') && picture.fill && picture.anchor == Anchor::None
        };
        if !apart && picture.anchor == Anchor::Before && picture.before == picture.anchored_at {
            picture.anchor = Anchor::Behind;
        }
        let last = if picture.fill && picture.point { last_relevant(&picture, &number) } else { None };
        // Less one, as places count from zero.
        let count = picture.before + picture.behind + usize::from(!signed && number.blanks == 0);
        Self {
            picture,
            number,
            out: String::new(),
            ended: false,
            signed,
            inside: false,
            at: 0,
            places: 0,
            count,
            last,
        }
    }

    fn push(&mut self, character: char) {
        if !self.ended {
            self.out.push(character);
        }
    }

    /// Pushes it unless `FM` leaves it out.
    fn pad(&mut self) {
        if !self.picture.fill {
            self.push(' ');
        }
    }

    fn part(&mut self, part: Part) -> Result<(), SqlError> {
        match part {
            Part::Nine | Part::Zero | Part::Point => self.place(part),
            Part::Comma if self.inside => self.push(','),
            Part::Comma => self.pad(),
            Part::Currency => self.push(' '),
            Part::Minus if self.number.sign == Some('-') => self.push('-'),
            Part::Plus if self.number.sign == Some('+') => self.push('+'),
            Part::Minus | Part::Plus => self.pad(),
            Part::Sign => match self.number.sign {
                Some(sign) => self.push(sign),
                None => self.ended = true,
            },
            Part::Roman(small) => self.roman(small),
            Part::Ordinal(small) => return self.ordinal(small),
            Part::Literal(character) => self.push(character),
            _ => {}
        }
        Ok(())
    }

    fn roman(&mut self, small: bool) {
        let digits: String = self.number.digits.iter().collect();
        let digits = if small { digits.to_lowercase() } else { digits };
        let padded = if self.picture.fill { digits } else { format!("{digits:>15}") };
        padded.chars().for_each(|letter| self.push(letter));
    }

    /// `st`, `nd`, `rd` or `th`, of whole numbers that are not negative.
    fn ordinal(&mut self, small: bool) -> Result<(), SqlError> {
        let digits = &self.number.digits;
        if self.picture.roman
            || digits.first() == Some(&'#')
            || self.number.sign == Some('-')
            || self.picture.point
        {
            return Ok(());
        }
        if digits.last().is_none_or(|last| !last.is_ascii_digit()) {
            let message = format!("\"{}\" is not a number", digits.iter().collect::<String>());
            return Err(SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message));
        }
        let mut from_end = digits.iter().rev();
        let (last, before) = (from_end.next(), from_end.next());
        let letters = match (before, last) {
            (Some('1'), _) => "TH",
            (_, Some('1')) => "ST",
            (_, Some('2')) => "ND",
            (_, Some('3')) => "RD",
            _ => "TH",
        };
        let letters = if small { letters.to_lowercase() } else { letters.to_owned() };
        letters.chars().for_each(|letter| self.push(letter));
        Ok(())
    }

    /// Whether a zero alone before the point gives way to a blank.
    fn gives_way(&self) -> bool {
        !self.picture.zero
            && self.at == 0
            && self.number.digits.first() == Some(&'0')
            && self.picture.behind != 0
    }

    /// Whether `FM` leaves nothing behind the point.
    fn ends_at_point(&self) -> bool {
        self.last.is_some_and(|last| self.number.digits.get(last) == Some(&'.'))
    }

    fn sign_character(&self) -> char {
        if self.number.sign == Some('-') { '-' } else { '+' }
    }

    fn place(&mut self, part: Part) {
        if self.picture.roman {
            return;
        }
        self.inside = false;
        self.leading_sign();
        let blank = self.places < self.number.blanks;
        let zero = self.picture.zero && self.picture.zero_from <= self.places;
        if blank && !zero {
            self.pad();
        } else if blank {
            self.push('0');
            self.inside = true;
        } else {
            self.digit(part);
            self.at += usize::from(self.at < self.number.digits.len());
        }
        self.trailing_sign();
        self.places += 1;
    }

    /// Before the first digit that is shown.
    fn leading_sign(&mut self) {
        let reached =
            self.places >= self.number.blanks || self.picture.zero && self.picture.zero_from == self.places;
        if self.signed || !reached || self.gives_way() && !self.ends_at_point() {
            return;
        }
        let negative = self.number.sign == Some('-');
        match self.picture.anchor {
            Anchor::Before => self.push(self.sign_character()),
            Anchor::Behind => return,
            Anchor::None if self.picture.brackets => self.push(if negative { '<' } else { ' ' }),
            Anchor::None if negative => self.push('-'),
            Anchor::None => self.pad(),
        }
        self.signed = true;
    }

    fn digit(&mut self, part: Part) {
        let digit = self.number.digits.get(self.at).copied();
        let dropped = self.last.is_some_and(|last| self.at > last) && part != Part::Zero;
        match digit {
            Some('.') => self.push('.'),
            _ if dropped => {}
            Some(_) if self.gives_way() => {
                if self.picture.fill && self.ends_at_point() {
                    self.push('0');
                } else {
                    self.pad();
                }
            }
            Some(digit) => {
                self.push(digit);
                self.inside = true;
            }
            None => {
                self.ended = true;
                self.inside = true;
            }
        }
    }

    /// Behind the last digit.
    fn trailing_sign(&mut self) {
        let blanks = usize::from(self.number.blanks > 0);
        let mut end = self.count + blanks + usize::from(self.picture.point);
        if self.last == Some(self.at) {
            end = self.places + 1;
        }
        if self.places + 2 != end {
            return;
        }
        if self.signed && self.picture.brackets {
            self.push(if self.number.sign == Some('-') { '>' } else { ' ' });
        } else if self.picture.anchor == Anchor::Behind {
            self.push(self.sign_character());
        }
    }
}

/// The last digit behind the point that is not zero or that a `0` asks for; the point, if there is none.
fn last_relevant(picture: &Picture, number: &Prepared) -> Option<usize> {
    let point = number.digits.iter().position(|digit| *digit == '.')?;
    let last = number.digits.iter().rposition(|digit| *digit != '0').unwrap_or(point).max(point);
    if picture.zero_to > number.blanks {
        return Some(last.max((picture.zero_to - number.blanks).min(number.digits.len() - 1)));
    }
    Some(last)
}
