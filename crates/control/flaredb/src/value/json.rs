//! `json` is kept as it was written, `jsonb` in PostgreSQL's own text of it: keys by their length and then their
//! bytes, the last of doubles, `": "` and `", "`.

use std::collections::BTreeMap;

use crate::base::{SqlError, SqlState};

use super::numeric;

/// Values within values.
const DEEPEST: u32 = 500;

/// A JSON value; numbers as they were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<Key, Json>),
}

/// A key of an object, in the order that `jsonb` has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Refuses what is no JSON. Errors: 22P02.
pub(crate) fn check(text: &str) -> Result<(), SqlError> {
    parse(text).map(|_| ())
}

/// As `jsonb` keeps it.
pub(crate) fn canonical(text: &str) -> Result<String, SqlError> {
    let mut out = String::with_capacity(text.len());
    parse(text)?.write(&mut out)?;
    Ok(out)
}

/// A text as a value.
pub(crate) fn parse(text: &str) -> Result<Json, SqlError> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.blank();
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.wrong()) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn wrong(&self) -> SqlError {
        let detail = match self.rest.chars().next() {
            None => "The input string ended unexpectedly.".to_owned(),
            Some(_) => {
                let token: String = self
                    .rest
                    .chars()
                    .enumerate()
                    .take_while(|(place, c)| *place == 0 || c.is_alphanumeric())
                    .map(|(_, c)| c)
                    .take(60)
                    .collect();
                format!("Token \"{token}\" is invalid.")
            }
        };
        SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .with_detail(detail)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: u32) -> Result<Json, SqlError> {
        if depth > DEEPEST {
            return Err(SqlError::new(SqlState::STATEMENT_TOO_COMPLEX, "the JSON value is nested too deep"));
        }
        self.blank();
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, value) in
                    [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
                {
                    if let Some(rest) = self.rest.strip_prefix(word)
                        && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                    {
                        self.rest = rest;
                        return Ok(value);
                    }
                }
                Err(self.wrong())
            }
        }
    }

    fn object(&mut self, depth: u32) -> Result<Json, SqlError> {
        self.take('{');
        let mut members = BTreeMap::new();
        self.blank();
        if self.take('}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blank();
            if !self.rest.starts_with('"') {
                return Err(self.wrong());
            }
            let key = self.string()?;
            self.blank();
            if !self.take(':') {
                return Err(self.wrong());
            }
            members.insert(Key(key), self.value(depth + 1)?);
            self.blank();
            if self.take('}') {
                return Ok(Json::Object(members));
            }
            if !self.take(',') {
                return Err(self.wrong());
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<Json, SqlError> {
        self.take('[');
        let mut items = Vec::new();
        self.blank();
        if self.take(']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blank();
            if self.take(']') {
                return Ok(Json::Array(items));
            }
            if !self.take(',') {
                return Err(self.wrong());
            }
        }
    }

    fn string(&mut self) -> Result<String, SqlError> {
        let from = self.rest;
        let mut end = None;
        let mut bytes = from.bytes().enumerate().skip(1);
        while let Some((place, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    end = Some(place + 1);
                    break;
                }
                b'\\' => {
                    bytes.next();
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            self.rest = "";
            return Err(self.wrong());
        };
        let (string, rest) = from.split_at(end);
        // Escapes, surrogates and control characters are serde's business.
        let parsed: String = serde_json::from_str(string).map_err(|_| self.wrong())?;
        if parsed.contains('\0') {
            return Err(SqlError::new(
                SqlState::UNTRANSLATABLE_CHARACTER,
                "unsupported Unicode escape sequence",
            )
            .with_detail("\\u0000 cannot be converted to text."));
        }
        self.rest = rest;
        Ok(parsed)
    }

    fn number(&mut self) -> Result<Json, SqlError> {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = self.rest.find(|c| !part(c)).unwrap_or(self.rest.len());
        let digits = &self.rest[..end];
        let unsigned = digits.strip_prefix('-').unwrap_or(digits);
        let leading =
            unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
        if leading
            || serde_json::from_str::<serde_json::Number>(digits).is_err() && digits.parse::<f64>().is_err()
        {
            return Err(self.wrong());
        }
        if !unsigned.starts_with(|c: char| c.is_ascii_digit()) || unsigned.ends_with('.') {
            return Err(self.wrong());
        }
        self.rest = &self.rest[end..];
        Ok(Json::Number(digits.to_owned()))
    }
}

impl Json {
    /// As `jsonb` writes it.
    pub(crate) fn write(&self, out: &mut String) -> Result<(), SqlError> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(digits) => out.push_str(&numeric::parse(digits)?),
            Self::String(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    item.write(out)?;
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (place, (key, value)) in members.iter().enumerate() {
                    if place > 0 {
                        out.push_str(", ");
                    }
                    quote(&key.0, out);
                    out.push_str(": ");
                    value.write(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// Its text.
    pub(crate) fn text(&self) -> Result<String, SqlError> {
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }
}

/// A JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsonb_is_written_as_postgresql_writes_it() {
        for (text, kept) in [
            ("{\"bb\":1,\"a\":2,\"a\":3}", "{\"a\": 3, \"bb\": 1}"),
            ("[1.10, 1e2, -0]", "[1.10, 100, 0]"),
            ("\"a\\u00e4\\n\"", "\"aä\\n\""),
            (" null ", "null"),
            ("{}", "{}"),
            ("[ ]", "[]"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "", "{", "[1,]", "{\"a\"}", "01", "1.", ".5", "nul", "\"a", "'a'", "[1] 2", "tru", "\"\\x\"", "-",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        let deep = "[".repeat(2000);
        assert!(check(&deep).is_err());
        assert_eq!(
            check("\"\\u0000\"").map_err(|error| error.state),
            Err(SqlState::UNTRANSLATABLE_CHARACTER)
        );
    }
}
