//! Errors and notices, with all their fields (PostgreSQL's documentation, 55.8).

use crate::base::{SqlError, SqlState};

use super::backend::put_text;

/// Of one text in a report: an error about a long value must not be longer than the value.
const LONGEST: usize = 256 << 10;

/// How bad it is. The first three are errors and end a statement, the others are notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    /// Ends the connection.
    Fatal,
    /// Ends the server.
    Panic,
    Warning,
    Notice,
    Debug,
    Info,
    Log,
}

impl Severity {
    /// As the protocol says it. It is not translated: S and V are the same.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Panic => "PANIC",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Log => "LOG",
        }
    }
}

/// The body of an ErrorResponse or NoticeResponse.
pub(crate) fn report(out: &mut Vec<u8>, severity: Severity, error: &SqlError) {
    let mut put = |field: u8, text: &str| {
        out.push(field);
        put_text(out, &text[..text.floor_char_boundary(LONGEST)]);
    };
    put(b'S', severity.as_str());
    put(b'V', severity.as_str());
    put(b'C', error.state.as_str());
    put(b'M', &error.message);
    let about = error.about.as_deref();
    for (field, text) in [
        (b'D', error.detail.as_ref()),
        (b'H', error.hint.as_ref()),
        (b'P', error.position.map(|position| position.to_string()).as_ref()),
        (b's', about.and_then(|about| about.schema.as_ref())),
        (b't', about.and_then(|about| about.table.as_ref())),
        (b'c', about.and_then(|about| about.column.as_ref())),
        (b'n', about.and_then(|about| about.constraint.as_ref())),
    ] {
        if let Some(text) = text {
            put(field, text);
        }
    }
    out.push(0);
}

/// Whether an error ends the connection, whoever reports it: those that PostgreSQL only has for that.
pub(crate) fn ends_connection(state: SqlState) -> bool {
    matches!(&state.0, b"57P01" | b"57P02" | b"57P04" | b"57P05" | b"25P03")
}

#[cfg(test)]
mod tests {
    use crate::base::error::About;
    use bytes::BytesMut;
    use pgwire::messages::response::ErrorResponse;
    use pgwire::messages::{DecodeContext, Message, ProtocolVersion};

    use super::*;

    fn fields(severity: Severity, error: &SqlError) -> Vec<(char, String)> {
        let mut out = Vec::new();
        report(&mut out, severity, error);
        let context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        let length = out.len() + 4;
        let read = ErrorResponse::decode_body(&mut BytesMut::from(&out[..]), length, &context).unwrap();
        read.fields.into_iter().map(|(field, text)| (char::from(field), text)).collect()
    }

    #[test]
    fn an_error_tells_all_that_is_known() {
        let about = About {
            schema: Some("public".to_owned()),
            table: Some("t".to_owned()),
            column: Some("c".to_owned()),
            constraint: Some("t_pkey".to_owned()),
        };
        let error = SqlError::new(SqlState::UNIQUE_VIOLATION, "no")
            .with_detail("why")
            .with_hint("what")
            .at(7)
            .about(about);
        let told: String =
            fields(Severity::Error, &error).iter().map(|(field, text)| format!("{field}={text} ")).collect();
        assert_eq!(told, "S=ERROR V=ERROR C=23505 M=no D=why H=what P=7 s=public t=t c=c n=t_pkey ");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let error = SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, "m");
        let told: Vec<char> = fields(Severity::Warning, &error).iter().map(|(field, _)| *field).collect();
        assert_eq!(told, ['S', 'V', 'C', 'M']);
    }

    #[test]
    fn a_text_is_cut_at_a_nul_and_at_a_limit() {
        let error = SqlError::new(SqlState::SYNTAX_ERROR, "a\0b").with_detail("ä".repeat(LONGEST));
        let told = fields(Severity::Error, &error);
        assert_eq!(told[3].1, "a");
        assert_eq!(told[4].1.len(), LONGEST);
    }
}
