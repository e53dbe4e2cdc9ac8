//! A JSON text to a tree.

use std::borrow::Cow;

use super::lex::{Lexer, Token, ended, wrong};
use super::{Kind, Node, deeper};
use crate::base::error::{SqlError, SqlState};

/// How deep values may lie in each other.
const DEEPEST: usize = 1000;

/// A text as a tree, with its strings decoded. Errors: 22P02, and 22P05 for what no text can hold.
pub(crate) fn parse(text: &str) -> Result<Node<'_>, SqlError> {
    whole(text, true)
}

/// Whether it is JSON. What strings hold is not looked at.
pub(crate) fn check(text: &str) -> Result<(), SqlError> {
    whole(text, false).map(|_| ())
}

fn whole(text: &str, decode: bool) -> Result<Node<'_>, SqlError> {
    let mut reader = Reader { lexer: Lexer::new(text), decode, depth: 0 };
    let first = reader.lexer.next()?;
    let node = reader.value(first)?;
    match reader.lexer.next()? {
        Token::End => Ok(node),
        _ => Err(reader.expected("end of input")),
    }
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    decode: bool,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// What stands here does not belong here.
    fn expected(&self, what: &str) -> SqlError {
        match self.lexer.written() {
            "" => ended(),
            found => wrong(format!("Expected {what}, but found \"{found}\".")),
        }
    }

    fn value(&mut self, token: Token) -> Result<Node<'a>, SqlError> {
        let from = self.lexer.from;
        let kind = match token {
            Token::Null => Kind::Null,
            Token::True => Kind::Bool(true),
            Token::False => Kind::Bool(false),
            Token::Number => Kind::Number,
            Token::String => Kind::String(self.string()?),
            Token::Mark(b'[') => self.within(Self::array)?,
            Token::Mark(b'{') => self.within(Self::object)?,
            Token::Mark(_) | Token::End => return Err(self.expected("JSON value")),
        };
        let raw = self.lexer.text.get(from..self.lexer.at).unwrap_or("");
        Ok(Node { raw, kind })
    }

    fn within(&mut self, read: fn(&mut Self) -> Result<Kind<'a>, SqlError>) -> Result<Kind<'a>, SqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let kind = deeper(|| read(self));
        self.depth -= 1;
        kind
    }

    fn array(&mut self) -> Result<Kind<'a>, SqlError> {
        let mut items = Vec::new();
        loop {
            match self.lexer.next()? {
                Token::Mark(b']') if items.is_empty() => return Ok(Kind::Array(items)),
                token => items.push(self.value(token)?),
            }
            match self.lexer.next()? {
                Token::Mark(b',') => {}
                Token::Mark(b']') => return Ok(Kind::Array(items)),
                _ => return Err(self.expected("\",\" or \"]\"")),
            }
        }
    }

    fn object(&mut self) -> Result<Kind<'a>, SqlError> {
        let mut fields = Vec::new();
        loop {
            match self.lexer.next()? {
                Token::String => {}
                Token::Mark(b'}') if fields.is_empty() => return Ok(Kind::Object(fields)),
                _ => return Err(self.expected(if fields.is_empty() { "string or \"}\"" } else { "string" })),
            }
            let key = self.string()?;
            if self.lexer.next()? != Token::Mark(b':') {
                return Err(self.expected("\":\""));
            }
            let token = self.lexer.next()?;
            let value = self.value(token)?;
            fields.push((key, value));
            match self.lexer.next()? {
                Token::Mark(b',') => {}
                Token::Mark(b'}') => return Ok(Kind::Object(fields)),
                _ => return Err(self.expected("\",\" or \"}\"")),
            }
        }
    }

    /// What the string that was read says.
    fn string(&self) -> Result<Cow<'a, str>, SqlError> {
        let written = self.lexer.written();
        let inside = written.get(1..written.len() - 1).unwrap_or("");
        if !self.decode || !inside.contains('\\') {
            Ok(inside.into())
        } else {
            decoded(inside).map(Cow::Owned)
        }
    }
}

fn untranslatable(detail: &str) -> SqlError {
    SqlError::new(SqlState::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
        .with_detail(detail)
}

/// Without escapes, which are known to be whole.
fn decoded(inside: &str) -> Result<String, SqlError> {
    let mut out = String::with_capacity(inside.len());
    let mut rest = inside;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        let mut characters = behind.chars();
        match characters.next() {
            Some('u') => {
                let (character, behind) = unicode(characters.as_str())?;
                out.push(character);
                rest = behind;
                continue;
            }
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(other) => out.push(other),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    Ok(out)
}

fn unit(text: &str) -> Option<(u32, &str)> {
    Some((u32::from_str_radix(text.get(..4)?, 16).ok()?, text.get(4..)?))
}

/// The character of `XXXX`, or of two halves `XXXX\uXXXX`, and what stands behind.
fn unicode(text: &str) -> Result<(char, &str), SqlError> {
    let (high, behind) = unit(text).ok_or_else(ended)?;
    if high == 0 {
        return Err(untranslatable("\\u0000 cannot be converted to text."));
    }
    if (0xDC00..0xE000).contains(&high) {
        return Err(wrong("Unicode low surrogate must follow a high surrogate."));
    }
    if let Some(character) = char::from_u32(high) {
        return Ok((character, behind));
    }
    let low = behind.strip_prefix("\\u").and_then(unit).filter(|(low, _)| (0xDC00..0xE000).contains(low));
    let Some((low, behind)) = low else {
        let again = behind
            .strip_prefix("\\u")
            .and_then(unit)
            .is_some_and(|(next, _)| (0xD800..0xDC00).contains(&next));
        return Err(wrong(if again {
            "Unicode high surrogate must not follow a high surrogate."
        } else {
            "Unicode low surrogate must follow a high surrogate."
        }));
    };
    let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    Ok((char::from_u32(code).unwrap_or('\u{FFFD}'), behind))
}
