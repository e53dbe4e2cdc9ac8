//! A text that should be a time, cut into its fields.

use super::error::Wrong;

/// More fields than any time has.
const MOST: usize = 25;

/// What a field looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, with a point in or before them perhaps.
    Number,
    /// Digits and colons.
    Time,
    /// Separated by `-`, `/` or `.`; or a name with such in it.
    Date,
    /// Letters.
    Word,
    /// A sign and digits.
    Offset,
    /// A sign and letters.
    Special,
}

/// One field.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) kind: Kind,
    /// In lower case.
    pub(crate) text: String,
    /// Byte offsets in the text.
    pub(crate) from: usize,
    pub(crate) to: usize,
}

struct Cutter<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cutter<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn next(&self) -> u8 {
        self.bytes.get(self.at + 1).copied().unwrap_or(0)
    }

    /// Goes on while it holds.
    fn pass(&mut self, of: impl Fn(u8) -> bool) {
        while self.at < self.bytes.len() && of(self.peek()) {
            self.at += 1;
        }
    }

    fn digits(&mut self) {
        self.pass(|byte| byte.is_ascii_digit());
    }

    /// A field that begins with a digit.
    fn number(&mut self) -> Kind {
        self.digits();
        match self.peek() {
            b':' => {
                self.pass(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
                Kind::Time
            }
            delimiter @ (b'-' | b'/' | b'.') => {
                self.at += 1;
                self.separated(delimiter)
            }
            _ => Kind::Number,
        }
    }

    /// Behind the first delimiter of a date, or the point of a number.
    fn separated(&mut self, delimiter: u8) -> Kind {
        if !self.peek().is_ascii_digit() {
            self.pass(|byte| byte.is_ascii_alphanumeric() || byte == delimiter);
            return Kind::Date;
        }
        self.digits();
        if self.peek() != delimiter {
            return if delimiter == b'.' { Kind::Number } else { Kind::Date };
        }
        self.pass(|byte| byte.is_ascii_digit() || byte == delimiter);
        Kind::Date
    }

    /// A field that begins with a letter. `word`: whether the letters are a word that ends a field.
    fn letters(&mut self, word: fn(&str) -> bool) -> Kind {
        let from = self.at;
        self.pass(|byte| byte.is_ascii_alphabetic());
        let name = self.bytes.get(from..self.at).unwrap_or_default().to_ascii_lowercase();
        let more = match self.peek() {
            b'-' | b'/' | b'.' => true,
            b'+' | b'0'..=b'9' => !word(std::str::from_utf8(&name).unwrap_or_default()),
            _ => false,
        };
        if !more {
            return Kind::Word;
        }
        self.pass(|byte| byte.is_ascii_alphanumeric() || b"+-/_.:".contains(&byte));
        Kind::Date
    }

    /// A field that begins with a sign; behind it.
    fn signed(&mut self) -> Result<Kind, Wrong> {
        if self.peek().is_ascii_digit() {
            self.pass(|byte| byte.is_ascii_digit() || b":.-".contains(&byte));
            Ok(Kind::Offset)
        } else if self.peek().is_ascii_alphabetic() {
            self.pass(|byte| byte.is_ascii_alphabetic());
            Ok(Kind::Special)
        } else {
            Err(Wrong::Format)
        }
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Cuts a text into fields. `word`: whether letters before a digit or a `+` are a field of their own.
pub(crate) fn cut(text: &str, word: fn(&str) -> bool) -> Result<Vec<Field>, Wrong> {
    let mut cutter = Cutter { bytes: text.as_bytes(), at: 0 };
    let mut fields = Vec::new();
    loop {
        cutter.pass(is_space);
        let from = cutter.at;
        let first = cutter.peek();
        if from >= text.len() {
            return Ok(fields);
        }
        let mut sign = "";
        let mut begins = from;
        let kind = match first {
            b'0'..=b'9' => cutter.number(),
            b'.' if cutter.next().is_ascii_digit() => {
                cutter.at += 1;
                cutter.digits();
                Kind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => cutter.letters(word),
            b'+' | b'-' => {
                sign = if first == b'+' { "+" } else { "-" };
                cutter.at += 1;
                cutter.pass(is_space);
                begins = cutter.at;
                cutter.signed()?
            }
            _ if first.is_ascii_punctuation() => {
                cutter.at += 1;
                continue;
            }
            _ => return Err(Wrong::Format),
        };
        if fields.len() == MOST {
            return Err(Wrong::Format);
        }
        let body = text.get(begins..cutter.at).unwrap_or_default();
        fields.push(Field {
            kind,
            text: format!("{sign}{}", body.to_ascii_lowercase()),
            from,
            to: cutter.at,
        });
    }
}
