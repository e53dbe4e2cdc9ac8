//! The packets before there are messages: a length, a code, and what belongs to it.

use crate::base::{SqlError, SqlState};

use super::switches;
use crate::wire::host::CancelRequest;
use crate::wire::message::{Reader, utf8, violation};

/// Of a whole packet, as in PostgreSQL.
const LONGEST: usize = 10_000;
const CANCEL: u32 = 1234 << 16 | 5678;
const TLS: u32 = 1234 << 16 | 5679;
const GSS: u32 = 1234 << 16 | 5680;
/// The newest minor version that is spoken here.
const NEWEST: u16 = 2;
/// Of a cancel key's secret, since 3.2.
const SECRET: std::ops::RangeInclusive<usize> = 4..=256;

/// How long the body of a packet is, by its first four bytes. None: this is no client of PostgreSQL's.
pub(super) fn body_length(announced: [u8; 4]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(announced)).ok()?;
    (8..=LONGEST).contains(&length).then(|| length - 4)
}

/// What a packet asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Packet<'a> {
    Tls,
    Gss,
    /// None: its key is of no possible length.
    Cancel(Option<CancelRequest>),
    /// A session, in this version of the protocol.
    Startup {
        major: u16,
        minor: u16,
        parameters: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    pub(super) fn decode(body: &'a [u8]) -> Result<Self, SqlError> {
        let mut reader = Reader::new(body);
        let code = reader.u32()?;
        Ok(match code {
            TLS => Self::Tls,
            GSS => Self::Gss,
            CANCEL => Self::Cancel(cancel(reader)),
            _ => Self::Startup { major: (code >> 16) as u16, minor: code as u16, parameters: reader.rest() },
        })
    }
}

fn cancel(mut reader: Reader<'_>) -> Option<CancelRequest> {
    let pid = reader.i32().ok()?;
    let secret = reader.rest();
    SECRET.contains(&secret.len()).then(|| CancelRequest { pid, secret: secret.to_vec() })
}

/// What a client says of the session that it wants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish<'a> {
    pub(super) user: String,
    pub(super) database: String,
    /// Those of `options` first.
    pub(super) settings: Vec<(String, String)>,
    /// The minor version that is spoken.
    pub(super) minor: u16,
    /// Options of the protocol (`_pq_.…`): none is known here.
    pub(super) unknown: Vec<&'a str>,
    /// Whether the client has to be told of the version, or of options.
    pub(super) negotiates: bool,
}

impl<'a> Wish<'a> {
    pub(super) fn decode(major: u16, minor: u16, parameters: &'a [u8]) -> Result<Self, SqlError> {
        if major != 3 {
            let message =
                format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST}");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let mut wish = Self { minor: minor.min(NEWEST), ..Self::default() };
        let mut options = Vec::new();
        for (name, value) in pairs(parameters)? {
            match name {
                "user" => value.clone_into(&mut wish.user),
                "database" => value.clone_into(&mut wish.database),
                "options" => options = switches::settings(value)?,
                "replication" => refuse_replication(value)?,
                _ if name.starts_with("_pq_.") => wish.unknown.push(name),
                _ => wish.settings.push((name.to_owned(), value.to_owned())),
            }
        }
        if wish.user.is_empty() {
            let message = "no PostgreSQL user name specified in startup packet";
            return Err(SqlError::new(SqlState::INVALID_AUTHORIZATION_SPECIFICATION, message));
        }
        if wish.database.is_empty() {
            wish.database.clone_from(&wish.user);
        }
        options.append(&mut wish.settings);
        wish.settings = options;
        wish.negotiates = minor > NEWEST || !wish.unknown.is_empty();
        Ok(wish)
    }
}

/// Names and values, and one NUL behind them.
fn pairs(parameters: &[u8]) -> Result<Vec<(&str, &str)>, SqlError> {
    let layout = || violation("invalid startup packet layout: expected terminator as last byte");
    let mut texts = match parameters {
        [0] => return Ok(Vec::new()),
        [rest @ .., 0, 0] => rest.split(|byte| *byte == 0),
        _ => return Err(layout()),
    };
    let mut pairs = Vec::new();
    while let Some(name) = texts.next() {
        match texts.next() {
            Some(value) if !name.is_empty() => pairs.push((utf8(name)?, utf8(value)?)),
            _ => return Err(layout()),
        }
    }
    Ok(pairs)
}

/// `false` is what a client says that wants none.
fn refuse_replication(value: &str) -> Result<(), SqlError> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => Err(SqlError::unsupported("a replication connection")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message<T>(result: Result<T, SqlError>) -> String {
        result.err().map(|error| error.message).unwrap_or_default()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_lengths_that_a_client_of_postgresqls_announces_are_taken() {
        for (announced, body) in [
            (*b"\0\0\0\x08", Some(4)),
            (*b"\0\0\0\x07", None),
            (*b"\0\0\x27\x10", Some(9996)),
            (*b"\0\0\x27\x11", None),
            (*b"GET ", None),
            (*b"\x16\x03\x01\x02", None),
            (*b"\xff\xff\xff\xff", None),
        ] {
            assert_eq!(body_length(announced), body, "{announced:?}");
        }
    }

    #[test]
    fn codes_tell_what_is_asked_for() {
        assert_eq!(Packet::decode(b"\x04\xd2\x16\x2f"), Ok(Packet::Tls));
        assert_eq!(Packet::decode(b"\x04\xd2\x16\x30"), Ok(Packet::Gss));
        let request = CancelRequest { pid: 1, secret: b"abcd".to_vec() };
        assert_eq!(Packet::decode(b"\x04\xd2\x16\x2e\0\0\0\x01abcd"), Ok(Packet::Cancel(Some(request))));
        assert_eq!(Packet::decode(b"\x04\xd2\x16\x2e\0\0\0\x01abc"), Ok(Packet::Cancel(None)));
        let startup = Packet::Startup { major: 3, minor: 2, parameters: b"\0" };
        assert_eq!(Packet::decode(b"\0\x03\0\x02\0"), Ok(startup));
        assert!(Packet::decode(b"\0\x03").is_err());
    }

    #[test]
    fn a_wish_names_the_user_and_settings_of_options_come_first() {
        let wish =
            Wish::decode(3, 0, b"user\0me\0application_name\0psql\0options\0-c a=b\0replication\0false\0\0")
                .unwrap();
        assert_eq!((wish.user.as_str(), wish.database.as_str()), ("me", "me"));
        assert_eq!(wish.settings, owned(&[("a", "b"), ("application_name", "psql")]));
        assert!(!wish.negotiates);
        let wish = Wish::decode(3, 0, b"database\0db\0user\0me\0x\0\0\0").unwrap();
        assert_eq!((wish.database.as_str(), wish.settings), ("db", owned(&[("x", "")])));
    }

    #[test]
    fn newer_versions_and_unknown_options_are_negotiated() {
        for (minor, spoken, negotiates) in
            [(0, 0, false), (1, 1, false), (2, 2, false), (3, 2, true), (9999, 2, true)]
        {
            let wish = Wish::decode(3, minor, b"user\0me\0\0").unwrap();
            assert_eq!((wish.minor, wish.negotiates), (spoken, negotiates), "{minor}");
        }
        let wish = Wish::decode(3, 0, b"user\0me\0_pq_.x\0on\0\0").unwrap();
        assert_eq!((wish.minor, wish.unknown, wish.negotiates), (0, vec!["_pq_.x"], true));
    }

    // Texts as PostgreSQL 15 gives them, but the newest version.
    #[test]
    fn what_cannot_be_is_refused_in_postgresqls_words() {
        let layout = "invalid startup packet layout: expected terminator as last byte";
        for (major, minor, parameters, text) in [
            (2, 0, &b""[..], "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"),
            (1234, 5679, b"", "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2"),
            (3, 0, b"", layout),
            (3, 0, b"user\0x\0", layout),
            (3, 0, b"user\0x\0\0y", layout),
            (3, 0, b"user\0\0", layout),
            (3, 0, b"user\0x\0\0\0\0", layout),
            (3, 0, b"\0", "no PostgreSQL user name specified in startup packet"),
            (3, 0, b"database\0x\0\0", "no PostgreSQL user name specified in startup packet"),
            (3, 0, b"user\0x\0replication\0true\0\0", "a replication connection is not supported"),
            (3, 0, b"user\0\xff\0\0", "invalid byte sequence for encoding \"UTF8\": 0xff"),
            (3, 0, b"user\0x\0options\0-Q\0\0", "invalid command-line argument for server process: -Q"),
        ] {
            assert_eq!(message(Wish::decode(major, minor, parameters)), text, "{parameters:?}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_panics(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(Packet::Startup { parameters, .. }) = Packet::decode(&body) {
                let _ = Wish::decode(3, 0, parameters);
            }
        }

        #[test]
        fn what_a_client_says_is_understood(settings in proptest::collection::vec(("[a-z]{6,9}", "[^\0]{0,9}"), 0..9)) {
            prop_assume!(settings.iter().all(|(name, _)| !matches!(name.as_str(), "options" | "database")));
            let mut parameters = b"user\0me\0".to_vec();
            for (name, value) in &settings {
                parameters.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
            }
            parameters.push(0);
            prop_assert_eq!(Wish::decode(3, 0, &parameters).unwrap().settings, settings);
        }
    }
}
