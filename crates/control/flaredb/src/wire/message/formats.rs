//! Text or binary, for each parameter and each column; and the parameters themselves.

use crate::base::{SqlError, SqlState};

use super::reader::{Reader, violation};

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// Code 0.
    #[default]
    Text,
    /// Code 1.
    Binary,
}

impl Format {
    /// As the protocol numbers it.
    pub(crate) fn code(self) -> u16 {
        self as u16
    }

    fn from_code(code: u16) -> Result<Self, SqlError> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => {
                let message = format!("unsupported format code: {code}");
                Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message))
            }
        }
    }
}

/// One format for all, or one for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Formats {
    /// Whatever their number.
    All(Format),
    /// In order.
    Each(Box<[Format]>),
}

impl Formats {
    /// Everything as text: what a simple query gets.
    pub(crate) const TEXT: Self = Self::All(Format::Text);

    /// Of the value at this place, from 0.
    pub(crate) fn get(&self, place: usize) -> Format {
        match self {
            Self::All(format) => *format,
            Self::Each(formats) => formats.get(place).copied().unwrap_or_default(),
        }
    }

    /// As in Bind: none means text, one is for all.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, SqlError> {
        let count = usize::from(reader.u16()?);
        let mut codes = Reader::new(reader.take(count * 2)?);
        match count {
            0 => Ok(Self::TEXT),
            1 => Ok(Self::All(Format::from_code(codes.u16()?)?)),
            _ => {
                (0..count).map(|_| Format::from_code(codes.u16()?)).collect::<Result<_, _>>().map(Self::Each)
            }
        }
    }

    /// Whether there are enough for so many values; `says` gets how many there are.
    pub(crate) fn check(&self, values: usize, says: impl FnOnce(usize) -> String) -> Result<(), SqlError> {
        match self {
            Self::Each(formats) if formats.len() != values => Err(violation(says(formats.len()))),
            _ => Ok(()),
        }
    }
}

/// A value that a client binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter<'a> {
    pub(crate) format: Format,
    /// None: NULL.
    pub(crate) value: Option<&'a [u8]>,
}

/// All values of one Bind, still in the message.
#[derive(Clone, Debug)]
pub(crate) struct Parameters<'a> {
    formats: Formats,
    count: usize,
    /// Checked: so many values, and nothing else.
    values: Reader<'a>,
}

impl<'a> Parameters<'a> {
    /// None at all: what SQL's own statements have.
    pub(crate) fn none() -> Self {
        Self { formats: Formats::TEXT, count: 0, values: Reader::new(&[]) }
    }

    pub(crate) fn decode(reader: &mut Reader<'a>) -> Result<Self, SqlError> {
        let formats = Formats::decode(reader)?;
        let count = usize::from(reader.u16()?);
        let values = *reader;
        for _ in 0..count {
            reader.value()?;
        }
        formats.check(count, |formats| {
            format!("bind message has {formats} parameter formats but {count} parameters")
        })?;
        Ok(Self { formats, count, values })
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a, '_> {
        let mut values = self.values;
        (0..self.count).map(move |place| Parameter {
            format: self.formats.get(place),
            value: values.value().expect("they were read once before"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(bytes: &[u8]) -> Result<Vec<Parameter<'_>>, String> {
        let mut reader = Reader::new(bytes);
        let parameters = Parameters::decode(&mut reader).map_err(|error| error.message)?;
        reader.end().map_err(|error| error.message)?;
        assert_eq!((parameters.len(), parameters.is_empty()), (parameters.count, parameters.count == 0));
        Ok(parameters.iter().collect())
    }

    fn text(value: &[u8]) -> Parameter<'_> {
        Parameter { format: Format::Text, value: Some(value) }
    }

    fn binary(value: &[u8]) -> Parameter<'_> {
        Parameter { format: Format::Binary, value: Some(value) }
    }

    #[test]
    fn no_format_is_text_and_one_is_for_all() {
        let two = b"\0\x02\0\0\0\x01a\0\0\0\x01b";
        let with = |formats: &[u8]| [formats, two].concat();
        assert_eq!(parameters(&with(b"\0\0")).unwrap(), [text(b"a"), text(b"b")]);
        assert_eq!(parameters(&with(b"\0\x01\0\x01")).unwrap(), [binary(b"a"), binary(b"b")]);
        assert_eq!(parameters(&with(b"\0\x02\0\0\0\x01")).unwrap(), [text(b"a"), binary(b"b")]);
        assert_eq!(parameters(b"\0\0\0\0").unwrap(), []);
        assert!(Parameters::none().iter().next().is_none());
    }

    #[test]
    fn null_is_not_an_empty_value() {
        let null = Parameter { format: Format::Text, value: None };
        assert_eq!(parameters(b"\0\0\0\x02\xff\xff\xff\xff\0\0\0\0").unwrap(), [null, text(b"")]);
    }

    #[test]
    fn counts_and_codes_that_lie_are_refused() {
        for (bytes, message) in [
            (
                &b"\0\x03\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0"[..],
                "bind message has 3 parameter formats but 2 parameters",
            ),
            (b"\0\x01\0\x07\0\0", "unsupported format code: 7"),
            (b"\0\x02\0\x00\0\x02\0\0", "unsupported format code: 2"),
            (b"\xff\xff\0\0", "insufficient data left in message"),
            (b"\0\0\xff\xff", "insufficient data left in message"),
            (b"\0\0\0\x01\xff\xff\xff\xfe", "insufficient data left in message"),
            (b"\0", "insufficient data left in message"),
            (b"\0\0\0\0x", "invalid message format"),
        ] {
            assert_eq!(parameters(bytes).unwrap_err(), message, "{bytes:?}");
        }
    }
}
