//! One mistake in a TOML text, told so that it can be put right without looking anything up.

use std::fmt;

use super::nearest::nearest;

/// Where a mistake is, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Mistake {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let at = text.floor_char_boundary(error.span().map_or(0, |span| span.start));
        let line_start = text[..at].rfind('\n').map_or(0, |n| n + 1);
        Self {
            line: text[..at].matches('\n').count() + 1,
            column: text[line_start..at].chars().count() + 1,
            message: explain(error.message().trim(), &keys(error)),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// The keys that lead to the mistake, such as `raft.heartbeat`. The library shows them only in the text of
/// an error that does not know its input.
fn keys(error: &toml::de::Error) -> String {
    let mut error = error.clone();
    error.set_input(None);
    let text = error.to_string();
    let last = text.trim_end().lines().last().unwrap_or_default();
    last.strip_prefix("in `").and_then(|l| l.strip_suffix('`')).unwrap_or_default().to_owned()
}

/// Says what serde says, in the words of a configuration file.
fn explain(message: &str, keys: &str) -> String {
    if let Some((given, expected)) = after(message, "unknown field ") {
        return unknown(given, &quoted(expected), keys);
    }
    if let Some((given, expected)) = after(message, "unknown variant ") {
        let known = quoted(expected);
        let hint = hint(given, &known);
        return format!("unknown value {given:?} for {keys}{hint} Known values: {}", known.join(", "));
    }
    if let Some(key) = message.strip_prefix("missing field ") {
        return format!("the key {:?} is missing {}; add it", key.trim_matches('`'), place(keys));
    }
    let message = message.replace('\n', "; ");
    if keys.is_empty() { message } else { format!("{keys}: {message}") }
}

/// What is given and what is expected in "unknown … `given`, expected …".
fn after<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let (given, expected) = message.strip_prefix(prefix)?.split_once(", ")?;
    Some((given.trim_matches('`'), expected))
}

fn unknown(given: &str, known: &[&str], keys: &str) -> String {
    let mut sorted = known.to_vec();
    sorted.sort_unstable();
    let known = match &sorted[..] {
        [] => "No keys are known here".to_owned(),
        _ => format!("Known keys: {}", sorted.join(", ")),
    };
    format!("unknown key {given:?} {}{} {known}", place(keys), hint(given, &sorted))
}

fn hint(given: &str, known: &[&str]) -> String {
    nearest(given, known).map_or_else(|| ".".to_owned(), |meant| format!("; did you mean {meant:?}?"))
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn place(keys: &str) -> String {
    if keys.is_empty() { "at the top level".to_owned() } else { format!("in [{keys}]") }
}
