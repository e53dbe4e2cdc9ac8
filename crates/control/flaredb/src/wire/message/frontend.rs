//! What clients say once they are in, from bodies that are cut already: how long each message may be, and what it
//! holds.

use crate::base::SqlError;

use super::formats::{Formats, Parameters};
use super::reader::{Reader, violation};

/// Of messages that have no reason to be long, as PostgreSQL limits them.
const SHORT: usize = 10_000;

/// How long the body of a message may be. An error: there is no such message, and what follows cannot be trusted.
pub(crate) fn limit(tag: u8, longest: usize) -> Result<usize, SqlError> {
    match tag {
        b'Q' | b'P' | b'B' | b'F' | b'd' => Ok(longest),
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => Ok(longest.min(SHORT)),
        _ => Err(violation(format!("invalid frontend message type {tag}"))),
    }
}

/// A Query: the SQL.
pub(crate) fn query(body: &[u8]) -> Result<&str, SqlError> {
    let mut reader = Reader::new(body);
    let sql = reader.text()?;
    reader.end()?;
    Ok(sql)
}

/// A Parse.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parse<'a> {
    pub(crate) name: &'a str,
    pub(crate) sql: &'a str,
    /// Types of the first parameters; 0: not said.
    pub(crate) types: Vec<u32>,
}

impl<'a> Parse<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, SqlError> {
        let mut reader = Reader::new(body);
        let (name, sql) = (reader.text()?, reader.text()?);
        let count = usize::from(reader.u16()?);
        let mut types = Reader::new(reader.take(count * 4)?);
        reader.end()?;
        let types = (0..count).map(|_| types.u32()).collect::<Result<_, _>>()?;
        Ok(Self { name, sql, types })
    }
}

/// A Bind.
#[derive(Debug)]
pub(crate) struct Bind<'a> {
    pub(crate) portal: &'a str,
    pub(crate) statement: &'a str,
    pub(crate) parameters: Parameters<'a>,
    pub(crate) results: Formats,
}

impl<'a> Bind<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, SqlError> {
        let mut reader = Reader::new(body);
        let (portal, statement) = (reader.text()?, reader.text()?);
        let parameters = Parameters::decode(&mut reader)?;
        let results = Formats::decode(&mut reader)?;
        reader.end()?;
        Ok(Self { portal, statement, parameters, results })
    }
}

/// What a Describe or a Close is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

impl<'a> Target<'a> {
    /// `message` is its name, for the error.
    pub(crate) fn decode(body: &'a [u8], message: &str) -> Result<Self, SqlError> {
        let mut reader = Reader::new(body);
        let kind = reader.byte()?;
        let name = reader.text()?;
        reader.end()?;
        match kind {
            b'S' => Ok(Self::Statement(name)),
            b'P' => Ok(Self::Portal(name)),
            _ => Err(violation(format!("invalid {message} message subtype {kind}"))),
        }
    }
}

/// An Execute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Execute<'a> {
    pub(crate) portal: &'a str,
    /// None: all rows.
    pub(crate) max_rows: Option<u32>,
}

impl<'a> Execute<'a> {
    pub(crate) fn decode(body: &'a [u8]) -> Result<Self, SqlError> {
        let mut reader = Reader::new(body);
        let portal = reader.text()?;
        let max_rows = reader.i32()?;
        reader.end()?;
        Ok(Self { portal, max_rows: u32::try_from(max_rows).ok().filter(|rows| *rows > 0) })
    }
}

/// A CopyFail: why.
pub(crate) fn copy_fail(body: &[u8]) -> Result<&str, SqlError> {
    Reader::new(body).text()
}

/// A message that says nothing but its name.
pub(crate) fn nothing(body: &[u8]) -> Result<(), SqlError> {
    Reader::new(body).end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::message::formats::{Format, Parameter};

    fn message<T>(result: Result<T, SqlError>) -> String {
        result.err().map(|error| error.message).unwrap_or_default()
    }

    /// Everything that decodes a body.
    fn decode_all(body: &[u8]) {
        let _ = query(body);
        let _ = Parse::decode(body);
        if let Ok(bind) = Bind::decode(body) {
            assert_eq!(bind.parameters.iter().count(), bind.parameters.len());
        }
        let _ = (Target::decode(body, "DESCRIBE"), Execute::decode(body), copy_fail(body), nothing(body));
    }

    #[test]
    fn a_message_is_what_it_says() {
        assert_eq!(query(b"select 1\0"), Ok("select 1"));
        let parse = Parse { name: "s", sql: "select $1", types: vec![23] };
        assert_eq!(Parse::decode(b"s\0select $1\0\0\x01\0\0\0\x17"), Ok(parse));
        let bind = Bind::decode(b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x02hi\0\x01\0\x01").unwrap();
        assert_eq!((bind.portal, bind.statement), ("p", "s"));
        let hi = Parameter { format: Format::Binary, value: Some(&b"hi"[..]) };
        assert_eq!(bind.parameters.iter().collect::<Vec<_>>(), [hi]);
        assert_eq!(bind.results, Formats::All(Format::Binary));
        assert_eq!(Target::decode(b"Sx\0", "CLOSE"), Ok(Target::Statement("x")));
        assert_eq!(Target::decode(b"P\0", "CLOSE"), Ok(Target::Portal("")));
        let execute = |body| Execute::decode(body).map(|execute| execute.max_rows);
        assert_eq!(execute(b"\0\0\0\0\x07"), Ok(Some(7)));
        assert_eq!(execute(b"\0\0\0\0\0"), Ok(None));
        assert_eq!(execute(b"\0\xff\xff\xff\xff"), Ok(None));
        assert_eq!(copy_fail(b"why\0"), Ok("why"));
    }

    // Texts as PostgreSQL 15 gives them.
    #[test]
    fn what_a_message_may_not_be_is_said_in_postgresqls_words() {
        assert_eq!(message(query(b"select 1")), "invalid string in message");
        assert_eq!(message(query(b"select 1\0x")), "invalid message format");
        assert_eq!(message(Bind::decode(b"")), "invalid string in message");
        assert_eq!(message(Bind::decode(b"\0\0\0")), "insufficient data left in message");
        assert_eq!(message(Parse::decode(b"\0select 1\0\xff\xff")), "insufficient data left in message");
        assert_eq!(message(Target::decode(b"Zx\0", "DESCRIBE")), "invalid DESCRIBE message subtype 90");
        assert_eq!(message(Target::decode(b"Zx\0", "CLOSE")), "invalid CLOSE message subtype 90");
        assert_eq!(message(nothing(b"x")), "invalid message format");
        assert_eq!(message(limit(b'y', 1)), "invalid frontend message type 121");
        assert_eq!(message(limit(b'p', 1)), "invalid frontend message type 112");
    }

    #[test]
    fn only_messages_with_a_reason_may_be_long() {
        for tag in b"QPBFd" {
            assert_eq!(limit(*tag, 1 << 20), Ok(1 << 20));
        }
        for tag in b"CDEHSXcf" {
            assert_eq!(limit(*tag, 1 << 20), Ok(SHORT));
            assert_eq!(limit(*tag, 5), Ok(5));
        }
    }

    #[test]
    fn a_message_that_is_cut_anywhere_is_refused() {
        let bind = b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x02hi\0\x01\0\x01";
        let parse = b"s\0select $1\0\0\x01\0\0\0\x17";
        for end in 0..bind.len() {
            assert!(Bind::decode(&bind[..end]).is_err(), "{end}");
        }
        for end in 0..parse.len() {
            assert!(Parse::decode(&parse[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode_all(&body);
        }

        #[test]
        fn no_damage_to_a_bind_makes_a_decoder_panic(at in 0usize..26, byte: u8, cut in 0usize..26) {
            let mut body = *b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x02hi\0\x01\0\x01\0\0\0\0\0\0";
            body[at] = byte;
            decode_all(&body[..cut]);
            decode_all(&body);
        }
    }
}
