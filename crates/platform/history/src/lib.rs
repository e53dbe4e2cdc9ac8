//! What clients saw of a store that speaks etcd v3, and whether a correct one could have shown it.
//!
//! [`load`] makes clients that read, write, swap and delete, and writes down every call with its time
//! of asking and its time of answer; [`watch`] follows the events; [`check`] judges both; [`kept`] is
//! the file they can be kept in. A write whose answer never came may or may not have happened, then or
//! later: it counts as neither done nor not done. Values are never used twice, so that a value read
//! names the write it came from.
//!
//! Every second register is a pair: two keys that are only ever written, read and deleted together, in
//! one request. A store that shows half of a pair, to a reader or to a watcher, has torn a transaction.
//!
//! Below whoever runs it: the lanes of the test cluster and `uc chainfire verify` judge by the same
//! code. It knows the store by its wire protocol only.

pub mod check;
mod endpoints;
pub mod kept;
pub mod load;
mod perform;
pub mod watch;

use serde::{Deserialize, Serialize};

pub use self::endpoints::Endpoints;

/// A value: the number of the write it came from.
pub type Value = u64;

/// What the second key of a pair ends with.
const TWIN: &str = "/twin";

/// Where a load's registers are in the store: a prefix that no other load has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
}

/// A key of a load, read back from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The register.
    pub register: u32,
    /// Whether it is the second key of a pair.
    pub twin: bool,
}

impl Keys {
    /// Below `load/`; `run` names the run.
    pub fn of_run(run: &str) -> Self {
        Self::below(format!("load/{run}/"))
    }

    /// Everything below a prefix, which should end with a slash.
    pub fn below(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// What all of them begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of a register; the only one, or the first of a pair.
    pub fn name(&self, register: u32) -> String {
        format!("{}{register:06}", self.prefix)
    }

    /// The second key of a pair. The first one is its prefix.
    pub fn twin(&self, register: u32) -> String {
        self.name(register) + TWIN
    }

    /// What a key stands for.
    pub fn place(&self, name: &[u8]) -> Option<Place> {
        let number = std::str::from_utf8(name).ok()?.strip_prefix(&self.prefix)?;
        let (number, twin) = number.strip_suffix(TWIN).map_or((number, false), |n| (n, true));
        let register = number.parse().ok()?;
        (!twin || is_pair(register)).then_some(Place { register, twin })
    }
}

/// Whether a register is two keys.
pub const fn is_pair(register: u32) -> bool {
    register % 2 == 1
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
    /// A deletion that answers what was there.
    Delete,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The register held this.
    Held(Option<Value>),
    /// It was written.
    Written,
    /// It holds nothing now; it held this.
    Removed(Option<Value>),
    /// Half a pair, or what is no value: no write can explain it.
    Garbled,
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

    /// Whether it is a change that was acknowledged. A deletion of nothing changes nothing.
    pub fn is_acknowledged_write(&self) -> bool {
        matches!(self.outcome, Outcome::Written | Outcome::Removed(Some(_)))
    }

    /// Whether it is a change that may have been made or not.
    pub fn is_unknown_write(&self) -> bool {
        self.outcome == Outcome::Unknown && self.action != Action::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_survive_the_store() {
        let keys = Keys::of_run("a");
        assert_eq!(keys.place(keys.name(42).as_bytes()), Some(Place { register: 42, twin: false }));
        assert_eq!(keys.place(keys.twin(43).as_bytes()), Some(Place { register: 43, twin: true }));
        assert_eq!(keys.place(keys.twin(42).as_bytes()), None, "42 is no pair");
        assert_eq!(keys.place(Keys::of_run("b").name(42).as_bytes()), None);
        assert_eq!(value_of(b"17"), Some(17));
        assert_eq!(value_of(b""), None);
    }
}
