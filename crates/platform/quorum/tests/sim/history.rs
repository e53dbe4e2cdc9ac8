//! What clients saw, and whether one order of events explains it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use porcupine_rs::{Model, Operation, check_operations};

/// An operation on one register. Values are unique, so that a read names its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The former value, if the reply arrived.
    Put {
        value: u64,
        former: Option<u64>,
    },
    Get {
        value: u64,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) client: u32,
    pub(crate) key: u8,
    pub(crate) op: Op,
    pub(crate) called: Duration,
    /// None: the outcome is unknown, it may take effect at any later time.
    pub(crate) returned: Option<Duration>,
}

#[derive(Clone, Default)]
pub(crate) struct History(Arc<Mutex<Vec<Record>>>);

impl History {
    /// Begins an operation whose outcome is not known yet. Reads are only kept once they returned.
    pub(crate) fn begin(&self, record: Record) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(record);
        all.len() - 1
    }

    /// Keeps an operation that has returned.
    pub(crate) fn observe(&self, record: Record) {
        self.0.lock().unwrap().push(record);
    }

    pub(crate) fn complete(&self, id: usize, op: Op, at: Duration) {
        let record = &mut self.0.lock().unwrap()[id];
        record.op = op;
        record.returned = Some(at);
    }

    /// The operation certainly did not and will not take effect.
    pub(crate) fn forget(&self, id: usize) {
        self.0.lock().unwrap()[id].key = NEVER;
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.0.lock().unwrap().iter().filter(|r| r.key != NEVER).cloned().collect()
    }
}

const NEVER: u8 = u8::MAX;

#[derive(Clone)]
struct Register;

impl Model for Register {
    type State = u64;
    type Op = Op;
    type Metadata = ();

    fn init() -> u64 {
        0
    }

    fn step(state: &u64, op: &Op) -> (bool, u64) {
        match *op {
            Op::Put { value, former } => (former.is_none_or(|f| f == *state), value),
            Op::Get { value } => (value == *state, *state),
        }
    }
}

/// The first register whose history no order explains.
pub(crate) fn violation(records: &[Record]) -> Option<String> {
    let mut by_key: BTreeMap<u8, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_key.entry(record.key).or_default().push(record);
    }
    by_key.into_iter().find_map(|(key, records)| {
        let nanos = |d: Duration| i64::try_from(d.as_nanos()).unwrap();
        let operation = |r: &&Record| Operation::<Register> {
            client_id: Some(r.client),
            call_time: nanos(r.called),
            return_time: r.returned.map_or(i64::MAX, nanos),
            op: r.op,
            metadata: None,
        };
        let operations: Vec<_> = relevant(&records).iter().map(operation).collect();
        let explained = check_operations(&operations);
        (!explained).then(|| format!("register {key}: no order explains\n{}", table(&records)))
    })
}

/// One operation a line, by the time of its call.
fn table(records: &[&Record]) -> String {
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|r| r.called);
    let line = |r: &&Record| {
        let end = r.returned.map_or("?".to_owned(), |at| format!("{:.3}", at.as_secs_f64()));
        format!("{:>8.3} {end:>8} client {:>3} {:?}", r.called.as_secs_f64(), r.client, r.op)
    };
    sorted.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Leaves out writes of unknown outcome that nobody ever saw: to say that they never took effect
/// cannot make a good history bad or a bad one good, and spares the search.
fn relevant<'a>(records: &[&'a Record]) -> Vec<&'a Record> {
    let seen: BTreeSet<u64> = records
        .iter()
        .filter(|r| r.returned.is_some())
        .filter_map(|r| match r.op {
            Op::Get { value } => Some(value),
            Op::Put { former, .. } => former,
        })
        .collect();
    let matters = |r: &&&Record| match r.op {
        Op::Put { value, .. } => r.returned.is_some() || seen.contains(&value),
        Op::Get { .. } => true,
    };
    records.iter().filter(matters).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(client: u32, op: Op, called: u64, returned: Option<u64>) -> Record {
        Record {
            client,
            key: 1,
            op,
            called: Duration::from_millis(called),
            returned: returned.map(Duration::from_millis),
        }
    }

    #[test]
    fn a_stale_read_is_found() {
        let put = |value, former, at| record(1, Op::Put { value, former: Some(former) }, at, Some(at + 1));
        let get = |value, at| record(2, Op::Get { value }, at, Some(at + 1));
        assert!(violation(&[put(1, 0, 0), put(2, 1, 2), get(2, 4)]).is_none());
        assert!(violation(&[put(1, 0, 0), put(2, 1, 2), get(1, 4)]).is_some(), "stale read");
        assert!(violation(&[put(1, 0, 0), put(2, 0, 2)]).is_some(), "lost write");
        assert!(violation(&[get(7, 0)]).is_some(), "a value out of nowhere");
    }

    #[test]
    fn a_write_of_unknown_outcome_may_take_effect_later_or_never() {
        let unknown = record(1, Op::Put { value: 5, former: None }, 0, None);
        let get = |value, at| record(2, Op::Get { value }, at, Some(at + 1));
        assert!(violation(&[unknown.clone(), get(0, 10), get(5, 20)]).is_none());
        assert!(violation(&[unknown.clone(), get(0, 10)]).is_none());
        assert!(violation(&[unknown, get(5, 10), get(0, 20)]).is_some(), "taken back");
    }
}
