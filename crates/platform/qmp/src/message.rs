//! What comes from QEMU, told apart. Pure.

use serde::Deserialize;
use serde_json::Value;

/// Which QEMU it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Version {
    /// As in 10.0.2.
    pub major: u32,
    /// As in 10.0.2.
    pub minor: u32,
    /// As in 10.0.2.
    pub micro: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.micro)
    }
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// `SHUTDOWN`, `STOP`, `BLOCK_JOB_READY`, …
    #[serde(rename = "event")]
    pub name: String,
    /// What the schema says for it.
    #[serde(default)]
    pub data: Value,
}

/// A line from QEMU.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    Greeting(Version),
    Event(Event),
    /// The answer to a command; no id where QEMU could not read the command.
    Answer(Option<u64>, Result<Value, Refusal>),
}

/// Why QEMU would not.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) class: String,
    #[serde(rename = "desc")]
    pub(crate) text: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    event: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    r#return: Option<Value>,
    error: Option<Refusal>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Greeting {
    version: Versions,
}

#[derive(Deserialize)]
struct Versions {
    qemu: Version,
}

/// A `null` that is there is an answer.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Reads a line; the error says what is wrong with it.
pub(crate) fn parse(line: &[u8]) -> Result<Message, String> {
    let whole: Value = serde_json::from_slice(line).map_err(|e| format!("this is no JSON: {e}"))?;
    let parts = Line::deserialize(&whole).map_err(|e| format!("this is no message of QMP: {e}"))?;
    match parts {
        Line { greeting: Some(greeting), .. } => Ok(Message::Greeting(greeting.version.qemu)),
        Line { event: Some(_), .. } => {
            Event::deserialize(&whole).map(Message::Event).map_err(|e| format!("this is no event: {e}"))
        }
        Line { r#return: Some(value), id, .. } => Ok(Message::Answer(id, Ok(value))),
        Line { error: Some(refusal), id, .. } => Ok(Message::Answer(id, Err(refusal))),
        _ => Err("this is neither an answer nor an event".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Message {
        parse(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn every_kind_of_message_is_told_apart() {
        let version = json!({"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Debian"});
        let greeting = read(&json!({"QMP": {"version": version, "capabilities": ["oob"]}}));
        assert_eq!(greeting, Message::Greeting(Version { major: 10, minor: 0, micro: 2 }));
        assert_eq!(read(&json!({"return": {}, "id": 7})), Message::Answer(Some(7), Ok(json!({}))));
        assert_eq!(read(&json!({"return": null, "id": 7})), Message::Answer(Some(7), Ok(Value::Null)));
        let refusal = Refusal { class: "GenericError".into(), text: "no".into() };
        let error = json!({"error": {"class": "GenericError", "desc": "no"}});
        assert_eq!(read(&error), Message::Answer(None, Err(refusal)));
        let stamp = json!({"seconds": 1, "microseconds": 2});
        let stop = Event { name: "STOP".into(), data: Value::Null };
        assert_eq!(read(&json!({"event": "STOP", "timestamp": stamp})), Message::Event(stop));
    }

    #[test]
    fn what_is_none_of_them_is_refused() {
        for line in ["", "{", "[]", "{}", "7", r#"{"id": 7}"#, r#"{"event": 7}"#, r#"{"error": "no"}"#] {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }
    }
}
