//! Bodies of what the server says. Their type and length are put around them where they are kept.

use std::io::Write as _;

use crate::base::{SqlError, SqlState};

use super::formats::{Format, Formats};

/// Columns of one result, as many as PostgreSQL allows.
const COLUMNS: usize = 1664;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The table's OID; 0: not a table's column.
    pub(crate) table: u32,
    /// The column's number; 0: not a table's column.
    pub(crate) column: i16,
    /// The type's OID.
    pub(crate) ty: u32,
    /// `typlen`.
    pub(crate) size: i16,
    /// `atttypmod`; -1: none.
    pub(crate) modifier: i32,
}

/// What a command that is done says of itself: `SELECT 5`, `INSERT 0 1`, `CREATE TABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// `INSERT 0`: an INSERT still tells an OID.
    pub(crate) words: &'static str,
    /// How many rows, where it tells.
    pub(crate) rows: Option<u64>,
}

impl Tag {
    /// Of a command that counts nothing.
    pub(crate) const fn of(words: &'static str) -> Self {
        Self { words, rows: None }
    }

    /// Of a command that counts rows.
    pub(crate) const fn counted(words: &'static str, rows: u64) -> Self {
        Self { words, rows: Some(rows) }
    }

    pub(crate) fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.words.as_bytes());
        if let Some(rows) = self.rows {
            write!(out, " {rows}").expect("a vector takes everything");
        }
        out.push(0);
    }
}

/// Text and the NUL behind it. Text that has one is cut there.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.split('\0').next().unwrap_or_default().as_bytes());
    out.push(0);
}

/// A RowDescription.
pub(crate) fn row_description(
    out: &mut Vec<u8>,
    fields: &[Field],
    formats: &Formats,
) -> Result<(), SqlError> {
    if fields.len() > COLUMNS {
        let message = format!("target lists can have at most {COLUMNS} entries");
        return Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, message));
    }
    put_count(out, fields.len());
    for (place, field) in fields.iter().enumerate() {
        put_text(out, &field.name);
        out.extend_from_slice(&field.table.to_be_bytes());
        out.extend_from_slice(&field.column.to_be_bytes());
        out.extend_from_slice(&field.ty.to_be_bytes());
        out.extend_from_slice(&field.size.to_be_bytes());
        out.extend_from_slice(&field.modifier.to_be_bytes());
        out.extend_from_slice(&formats.get(place).code().to_be_bytes());
    }
    Ok(())
}

/// A CopyInResponse or CopyOutResponse: every column has the same format.
pub(crate) fn copy_response(out: &mut Vec<u8>, format: Format, columns: usize) -> Result<(), SqlError> {
    if columns > COLUMNS {
        return Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, "too many columns to copy"));
    }
    out.push(u8::from(format == Format::Binary));
    put_count(out, columns);
    out.extend(std::iter::repeat_n(format.code().to_be_bytes(), columns).flatten());
    Ok(())
}

/// A NegotiateProtocolVersion: the version that is spoken, and the options that are not known.
pub(crate) fn negotiation(out: &mut Vec<u8>, minor: u16, unknown: &[&str]) {
    out.extend_from_slice(&(3 << 16 | u32::from(minor)).to_be_bytes());
    out.extend_from_slice(&u32::try_from(unknown.len()).unwrap_or(u32::MAX).to_be_bytes());
    for option in unknown {
        put_text(out, option);
    }
}

/// Of columns, which are counted already.
fn put_count(out: &mut Vec<u8>, columns: usize) {
    out.extend_from_slice(&u16::try_from(columns).unwrap_or(u16::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use pgwire::messages::copy::CopyInResponse;
    use pgwire::messages::data::RowDescription;
    use pgwire::messages::response::CommandComplete;
    use pgwire::messages::startup::NegotiateProtocolVersion;
    use pgwire::messages::{DecodeContext, Message, ProtocolVersion};

    use super::*;

    /// As another implementation reads it.
    fn read<M: Message>(body: &[u8]) -> M {
        let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        let mut bytes = BytesMut::from(body);
        let message = M::decode_body(&mut bytes, body.len() + 4, &context).unwrap();
        assert!(bytes.is_empty());
        message
    }

    fn field(name: &str) -> Field {
        Field { name: name.to_owned(), table: 16384, column: 2, ty: 1043, size: -1, modifier: 24 }
    }

    #[test]
    fn columns_are_described_as_others_read_them() {
        let mut out = Vec::new();
        let formats = Formats::Each([Format::Text, Format::Binary].into());
        row_description(&mut out, &[field("a"), field("ü\0x")], &formats).unwrap();
        let read: RowDescription = read(&out);
        assert_eq!(read.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["a", "ü"]);
        let second = &read.fields[1];
        assert_eq!((second.table_id, second.column_id, second.type_id), (16384, 2, 1043));
        assert_eq!((second.type_size, second.type_modifier, second.format_code), (-1, 24, 1));
    }

    #[test]
    fn more_columns_than_postgresql_has_are_refused() {
        let fields = vec![field("a"); COLUMNS + 1];
        let error = row_description(&mut Vec::new(), &fields, &Formats::TEXT).unwrap_err();
        assert_eq!(error.message, "target lists can have at most 1664 entries");
        assert!(copy_response(&mut Vec::new(), Format::Text, COLUMNS + 1).is_err());
    }

    #[test]
    fn tags_count_where_they_count() {
        for (tag, text) in [
            (Tag::counted("INSERT 0", 2), "INSERT 0 2"),
            (Tag::counted("SELECT", 0), "SELECT 0"),
            (Tag::of("CREATE TABLE"), "CREATE TABLE"),
        ] {
            let mut out = Vec::new();
            tag.put(&mut out);
            assert_eq!(read::<CommandComplete>(&out).tag, text);
        }
    }

    #[test]
    fn a_copy_tells_the_format_of_each_column() {
        let mut out = Vec::new();
        copy_response(&mut out, Format::Binary, 2).unwrap();
        let read: CopyInResponse = read(&out);
        assert_eq!((read.format, read.columns, read.column_formats), (1, 2, vec![1, 1]));
    }

    #[test]
    fn a_negotiation_names_the_whole_version() {
        let mut out = Vec::new();
        negotiation(&mut out, 2, &["_pq_.a", "_pq_.b"]);
        let read: NegotiateProtocolVersion = read(&out);
        assert_eq!(read.newest_minor_protocol, 196_610);
        assert_eq!(read.unsupported_options, ["_pq_.a", "_pq_.b"]);
    }
}
