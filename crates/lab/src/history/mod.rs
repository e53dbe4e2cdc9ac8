//! What clients saw of a store, and whether a correct one could have shown it.
//!
//! [`load`] makes clients that read and write and writes down every call with its time of asking and
//! its time of answer; [`watch`] follows the events; [`check`] judges. A write whose answer never came
//! may or may not have happened, then or later: it counts as neither done nor not done. Values are
//! never used twice, so that a value read names the write it came from.

pub mod check;
pub mod load;
pub mod watch;

use serde::{Deserialize, Serialize};

/// A value: the number of the write it came from.
pub type Value = u64;

/// Where a load's registers are in the store: a prefix that no other load has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// `run` names the lane's run.
    pub fn of_run(run: &str) -> Self {
        Self { prefix: format!("load/{run}/") }
    }

    /// What all of them begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a register.
    pub fn name(&self, register: u32) -> String {
        format!("{}{register:06}", self.prefix)
    }

    /// The register of a key.
    pub fn register(&self, name: &[u8]) -> Option<u32> {
        std::str::from_utf8(name).ok()?.strip_prefix(&self.prefix)?.parse().ok()
    }
}

/// The value that bytes in the store stand for.
pub fn value_of(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// One call of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The client.
    pub client: u32,
    /// The node it asked.
    pub node: String,
    /// The register.
    pub key: u32,
    /// When it asked, in nanoseconds since the load began.
    pub asked: i64,
    /// When it was answered or gave up, on the same clock.
    pub answered: i64,
    /// What it asked for.
    pub action: Action,
    /// What came of it.
    pub outcome: Outcome,
    /// The store's revision in the answer; of a write, the write's own.
    pub revision: Option<i64>,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// A linearizable read.
    Read,
    /// A write.
    Write(Value),
    /// A write if the register holds `expected` (`None`: nothing), else a read, in one transaction.
    Swap {
        /// What it must hold.
        expected: Option<Value>,
        /// What is written then.
        new: Value,
    },
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The register held this.
    Held(Option<Value>),
    /// It was written.
    Written,
    /// Nobody knows, and nobody may ever know.
    Unknown,
    /// The server said that it will not be done.
    Refused,
}

impl Call {
    /// The value that this call writes or may have written.
    pub fn writes(&self) -> Option<Value> {
        match (self.action, self.outcome) {
            (Action::Write(value) | Action::Swap { new: value, .. }, Outcome::Written | Outcome::Unknown) => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Whether it is a write that was acknowledged.
    pub fn is_acknowledged_write(&self) -> bool {
        self.outcome == Outcome::Written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_survive_the_store() {
        let keys = Keys::of_run("a");
        assert_eq!(keys.register(keys.name(42).as_bytes()), Some(42));
        assert_eq!(keys.register(Keys::of_run("b").name(42).as_bytes()), None);
        assert_eq!(value_of(b"17"), Some(17));
        assert_eq!(value_of(b""), None);
    }
}
