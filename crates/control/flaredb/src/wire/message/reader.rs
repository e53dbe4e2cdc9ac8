//! Reads the body of one message, and never beyond it.

use crate::base::{SqlError, SqlState};

/// What is left of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], SqlError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(insufficient)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SqlError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(insufficient)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, SqlError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, SqlError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, SqlError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, SqlError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Bytes behind their length; none for -1.
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>, SqlError> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| insufficient())?).map(Some),
        }
    }

    /// UTF-8 up to a NUL.
    pub(crate) fn text(&mut self) -> Result<&'a str, SqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| violation("invalid string in message"))?;
        let (text, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        utf8(text)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// The message must end here.
    pub(crate) fn end(self) -> Result<(), SqlError> {
        if self.0.is_empty() { Ok(()) } else { Err(violation("invalid message format")) }
    }
}

/// 08P01.
pub(crate) fn violation(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, message)
}

fn insufficient() -> SqlError {
    violation("insufficient data left in message")
}

/// Text as it must be.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, SqlError> {
    std::str::from_utf8(bytes).map_err(|error| not_utf8(&bytes[error.valid_up_to()..]))
}

/// Shows as many bytes as the first one announces, as PostgreSQL does.
fn not_utf8(bytes: &[u8]) -> SqlError {
    use std::fmt::Write as _;
    let announced = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        _ => 1,
    };
    let mut message = String::from("invalid byte sequence for encoding \"UTF8\":");
    for byte in bytes.iter().take(announced) {
        let _ = write!(message, " 0x{byte:02x}");
    }
    SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_an_error() {
        let mut reader = Reader::new(b"\x01\x00\x02\0\0\0\x03ab\0\xff\xff\xff\xff\0\0\0\x01xrest");
        assert_eq!(reader.byte(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u32(), Ok(3));
        assert_eq!(reader.text(), Ok("ab"));
        assert_eq!(reader.value(), Ok(None));
        assert_eq!(reader.value(), Ok(Some(&b"x"[..])));
        assert_eq!(reader.i32(), Ok(i32::from_be_bytes(*b"rest")));
        assert_eq!(reader.end(), Ok(()));
        assert_eq!(reader.u16().unwrap_err().message, "insufficient data left in message");
        assert_eq!(reader.text().unwrap_err().message, "invalid string in message");
    }

    #[test]
    fn a_length_below_minus_one_or_beyond_the_end_is_an_error() {
        for body in [&b"\xff\xff\xff\xfe"[..], b"\x80\0\0\0", b"\0\0\0\x02x", b"\x7f\xff\xff\xffx"] {
            let error = Reader::new(body).value().unwrap_err();
            assert_eq!(error.message, "insufficient data left in message", "{body:?}");
        }
    }

    #[test]
    fn a_message_with_more_behind_it_is_an_error() {
        assert_eq!(Reader::new(b"x").end().unwrap_err().message, "invalid message format");
    }

    // Texts as PostgreSQL 15 gives them.
    #[test]
    fn text_that_is_no_utf8_shows_the_bytes_that_are_not() {
        for (bytes, shown) in [
            (&b"select \xff\0"[..], "0xff"),
            (b"select \xe4 a\0", "0xe4 0x20 0x61"),
            (b"\xc3\0", "0xc3"),
            (b"\xf0\x90\0", "0xf0 0x90"),
        ] {
            let error = Reader::new(bytes).text().unwrap_err();
            assert_eq!(error.state, SqlState::CHARACTER_NOT_IN_REPERTOIRE);
            assert_eq!(error.message, format!("invalid byte sequence for encoding \"UTF8\": {shown}"));
        }
    }
}
