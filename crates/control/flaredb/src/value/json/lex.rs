//! The tokens of a JSON text.

use crate::base::error::{SqlError, SqlState};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    String,
    Number,
    True,
    False,
    Null,
    /// One of `{}[],:`.
    Mark(u8),
    End,
}

/// Reads token after token.
pub(crate) struct Lexer<'a> {
    pub(crate) text: &'a str,
    /// Behind the last token.
    pub(crate) at: usize,
    /// Where the last token begins.
    pub(crate) from: usize,
}

/// `invalid input syntax for type json`, with a detail.
pub(crate) fn wrong(detail: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
        .with_detail(detail)
}

/// The text ended too early.
pub(crate) fn ended() -> SqlError {
    wrong("The input string ended unexpectedly.")
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, from: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The last token as it is written.
    pub(crate) fn written(&self) -> &'a str {
        self.text.get(self.from..self.at).unwrap_or("")
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token, SqlError> {
        while matches!(self.byte(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.from = self.at;
        match self.byte(self.at) {
            None => Ok(Token::End),
            Some(mark @ (b'{' | b'}' | b'[' | b']' | b',' | b':')) => {
                self.at += 1;
                Ok(Token::Mark(mark))
            }
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
        }
    }

    /// How far what may belong to a word goes.
    fn word_end(&self, mut at: usize) -> usize {
        while self.byte(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80) {
            at += 1;
        }
        at
    }

    fn invalid(&mut self, end: usize) -> SqlError {
        self.at = end;
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        wrong(format!("Token \"{}\" is invalid.", self.written()))
    }

    fn word(&mut self) -> Result<Token, SqlError> {
        let end = self.word_end(self.at);
        if end == self.at {
            return Err(self.invalid(self.at + 1));
        }
        self.at = end;
        match self.written() {
            "true" => Ok(Token::True),
            "false" => Ok(Token::False),
            "null" => Ok(Token::Null),
            _ => Err(self.invalid(end)),
        }
    }

    fn digits(&self, mut at: usize) -> Option<usize> {
        let from = at;
        while self.byte(at).is_some_and(|byte| byte.is_ascii_digit()) {
            at += 1;
        }
        (at > from).then_some(at)
    }

    fn number(&mut self) -> Result<Token, SqlError> {
        match self.number_end() {
            Ok(end) if self.word_end(end) == end => {
                self.at = end;
                Ok(Token::Number)
            }
            Ok(end) | Err(end) => Err(self.invalid(self.word_end(end))),
        }
    }

    /// Where the number ends, or where it goes wrong.
    fn number_end(&self) -> Result<usize, usize> {
        let mut at = self.at + usize::from(self.byte(self.at) == Some(b'-'));
        at = if self.byte(at) == Some(b'0') { at + 1 } else { self.digits(at).ok_or(at)? };
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1).ok_or(at + 1)?;
        }
        if matches!(self.byte(at), Some(b'e' | b'E')) {
            at += 1;
            at += usize::from(matches!(self.byte(at), Some(b'+' | b'-')));
            at = self.digits(at).ok_or(at)?;
        }
        Ok(at)
    }

    /// Checks escapes, and decodes nothing.
    fn string(&mut self) -> Result<Token, SqlError> {
        let mut at = self.at + 1;
        loop {
            match self.byte(at) {
                None => return Err(self.invalid(self.text.len())),
                Some(b'"') => break,
                Some(b'\\') => at = self.escape(at + 1)?,
                Some(byte) if byte < b' ' => {
                    return Err(wrong(format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                Some(_) => at += 1,
            }
        }
        self.at = at + 1;
        Ok(Token::String)
    }

    /// Behind an escape, of which the backslash was read.
    fn escape(&mut self, at: usize) -> Result<usize, SqlError> {
        match self.byte(at) {
            None => Err(self.invalid(self.text.len())),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
            Some(b'u') => {
                let is_hex = |at: usize| self.byte(at).is_some_and(|byte| byte.is_ascii_hexdigit());
                if (at + 1..at + 5).all(is_hex) {
                    return Ok(at + 5);
                }
                Err(wrong("\"\\u\" must be followed by four hexadecimal digits."))
            }
            Some(_) => {
                let escaped = self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
                Err(wrong(format!("Escape sequence \"\\{escaped}\" is invalid.")))
            }
        }
    }
}
