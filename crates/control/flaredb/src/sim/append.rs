//! Whether an order explains what transactions did to lists that are only appended to (Kingsbury and Alvaro, "Elle",
//! 2020): each value is appended once, so that a read shows all that came before it.
//!
//! Transactions are joined by edges: who appended after whom, who read whose value, who read before whose value was
//! there, and who had ended before whom began. A cycle is something that no order explains.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A thing that a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Append { list: i64, value: i64 },
    Read { list: i64, values: Vec<i64> },
}

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    Aborted,
    Unknown,
}

/// A transaction, as its client saw it.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) deeds: Vec<Deed>,
    pub(super) fate: Fate,
    pub(super) began: Duration,
    pub(super) ended: Duration,
}

impl Transaction {
    fn appends(&self, list: i64, value: i64) -> bool {
        self.deeds.contains(&Deed::Append { list, value })
    }
}

/// Why no order explains it; none: one does.
pub(super) fn violation(all: &[Transaction]) -> Option<String> {
    History::of(all).and_then(|history| history.acyclic()).err()
}

struct History<'a> {
    all: &'a [Transaction],
    /// Who appended a value, by list and value.
    writers: BTreeMap<(i64, i64), usize>,
    /// The longest that was read of each list.
    orders: BTreeMap<i64, Vec<i64>>,
}

impl<'a> History<'a> {
    fn of(all: &'a [Transaction]) -> Result<Self, String> {
        let mut writers = BTreeMap::new();
        let mut orders: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (at, transaction) in all.iter().enumerate() {
            for deed in &transaction.deeds {
                match deed {
                    Deed::Append { list, value } => {
                        writers.insert((*list, *value), at);
                    }
                    Deed::Read { list, values } => {
                        // Its own appends count if it was committed; what else it saw was there in any case.
                        let counts = |value: &&i64| {
                            transaction.fate == Fate::Committed || !transaction.appends(*list, **value)
                        };
                        let seen: Vec<i64> = values.iter().filter(counts).copied().collect();
                        let longest = orders.entry(*list).or_default();
                        if seen.len() > longest.len() {
                            *longest = seen;
                        }
                    }
                }
            }
        }
        let history = Self { all, writers, orders };
        history.reads()?;
        history.nothing_is_lost()?;
        Ok(history)
    }

    /// Every read is a beginning of the longest, of values that somebody appended who was not aborted.
    fn reads(&self) -> Result<(), String> {
        for transaction in self.all {
            for deed in &transaction.deeds {
                let Deed::Read { list, values } = deed else { continue };
                let order = &self.orders[list];
                // A transaction sees its own appends, which may come to nothing.
                let own =
                    |value: &i64| transaction.deeds.contains(&Deed::Append { list: *list, value: *value });
                let seen: Vec<i64> = values.iter().copied().filter(|value| !own(value)).collect();
                let before: Vec<i64> =
                    order.iter().copied().filter(|value| !own(value)).take(seen.len()).collect();
                if before != seen {
                    return Err(format!("list {list} was read as {values:?} and as {order:?}"));
                }
                for value in &seen {
                    match self.writers.get(&(*list, *value)).map(|writer| self.all[*writer].fate) {
                        Some(Fate::Committed | Fate::Unknown) => {}
                        Some(Fate::Aborted) => {
                            return Err(format!("{value} of list {list} was read, and was never committed"));
                        }
                        None => return Err(format!("{value} of list {list} was appended by nobody")),
                    }
                }
            }
        }
        for (list, order) in &self.orders {
            let distinct: BTreeSet<&i64> = order.iter().collect();
            if distinct.len() != order.len() {
                return Err(format!("list {list} has a value twice: {order:?}"));
            }
        }
        Ok(())
    }

    /// The last read of a list comes after everything: what was committed is in it.
    fn nothing_is_lost(&self) -> Result<(), String> {
        for ((list, value), writer) in &self.writers {
            let there = self.orders.get(list).is_some_and(|order| order.contains(value));
            if self.all[*writer].fate == Fate::Committed && !there {
                return Err(format!("{value} of list {list} was committed, and is not there"));
            }
        }
        Ok(())
    }

    /// Whether it took part: it was committed, or somebody has seen what it did.
    fn counts(&self, at: usize) -> bool {
        let seen = |deed: &Deed| match deed {
            Deed::Append { list, value } => self.orders.get(list).is_some_and(|order| order.contains(value)),
            Deed::Read { .. } => false,
        };
        let transaction = &self.all[at];
        transaction.fate == Fate::Committed
            || transaction.fate == Fate::Unknown && transaction.deeds.iter().any(seen)
    }

    fn edges(&self) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut edge = |from: usize, to: usize| {
            if from != to {
                edges.entry(from).or_default().insert(to);
            }
        };
        for (list, order) in &self.orders {
            let writers: Vec<usize> = order.iter().map(|value| self.writers[&(*list, *value)]).collect();
            writers.windows(2).for_each(|pair| edge(pair[0], pair[1]));
            for at in (0..self.all.len()).filter(|at| self.counts(*at)) {
                for deed in &self.all[at].deeds {
                    let Deed::Read { list: read, values } = deed else { continue };
                    if read != list {
                        continue;
                    }
                    // After whoever appended what it saw last, before whoever appended what it did not see.
                    if let Some(last) = values.len().checked_sub(1).and_then(|last| writers.get(last)) {
                        edge(*last, at);
                    }
                    if let Some(next) = writers.get(values.len()) {
                        edge(at, *next);
                    }
                }
            }
        }
        self.in_time(&mut edge);
        edges
    }

    /// Who had ended came before who began then: strict serializability.
    fn in_time(&self, edge: &mut impl FnMut(usize, usize)) {
        let certain = |at: &usize| self.all[*at].fate == Fate::Committed;
        for from in (0..self.all.len()).filter(certain) {
            for to in (0..self.all.len()).filter(|to| self.counts(*to)) {
                if self.all[from].ended < self.all[to].began {
                    edge(from, to);
                }
            }
        }
    }

    fn acyclic(&self) -> Result<(), String> {
        let edges = self.edges();
        let mut incoming: BTreeMap<usize, usize> = (0..self.all.len()).map(|at| (at, 0)).collect();
        for to in edges.values().flatten() {
            *incoming.entry(*to).or_default() += 1;
        }
        let mut free: Vec<usize> =
            incoming.iter().filter(|(_, count)| **count == 0).map(|(at, _)| *at).collect();
        while let Some(at) = free.pop() {
            incoming.remove(&at);
            for to in edges.get(&at).into_iter().flatten() {
                if let Some(count) = incoming.get_mut(to) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*to);
                    }
                }
            }
        }
        if incoming.is_empty() {
            return Ok(());
        }
        let some = incoming.keys().take(6).map(|at| format!("{:?}", self.all[*at]));
        let some: Vec<String> = some.collect();
        Err(format!("no order explains these transactions:\n{}", some.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(list: i64, value: i64) -> Deed {
        Deed::Append { list, value }
    }

    fn read(list: i64, values: &[i64]) -> Deed {
        Deed::Read { list, values: values.to_vec() }
    }

    /// One that began and ended at these seconds.
    fn done(deeds: Vec<Deed>, began: u64, ended: u64) -> Transaction {
        let (began, ended) = (Duration::from_secs(began), Duration::from_secs(ended));
        Transaction { deeds, fate: Fate::Committed, began, ended }
    }

    #[test]
    fn what_an_order_explains_is_right() {
        let all = [
            done(vec![append(1, 1)], 0, 5),
            done(vec![append(1, 2), read(1, &[1, 2])], 0, 5),
            done(vec![read(1, &[1])], 0, 5),
            Transaction { fate: Fate::Aborted, ..done(vec![append(1, 9)], 0, 5) },
            Transaction { fate: Fate::Unknown, ..done(vec![append(1, 3)], 0, 1) },
            // What only it has seen of itself is not there for others.
            Transaction {
                fate: Fate::Aborted,
                ..done(vec![append(1, 8), append(1, 7), read(1, &[1, 2, 8, 7])], 0, 5)
            },
            done(vec![read(1, &[1, 2, 3])], 9, 9),
        ];
        assert_eq!(violation(&all), None);
    }

    #[test]
    fn every_anomaly_is_found() {
        let aborted = |deeds| Transaction { fate: Fate::Aborted, ..done(deeds, 0, 5) };
        for (what, all) in [
            ("is not there", vec![done(vec![append(1, 1)], 0, 1), done(vec![read(1, &[])], 2, 3)]),
            ("never committed", vec![aborted(vec![append(1, 1)]), done(vec![read(1, &[1])], 0, 5)]),
            ("by nobody", vec![done(vec![read(1, &[7])], 0, 5)]),
            ("twice", vec![done(vec![append(1, 1)], 0, 5), done(vec![read(1, &[1, 1])], 0, 5)]),
            (
                "was read as",
                vec![
                    done(vec![append(1, 1)], 0, 5),
                    done(vec![append(1, 2)], 0, 5),
                    done(vec![read(1, &[2])], 0, 5),
                    done(vec![read(1, &[1, 2])], 0, 5),
                ],
            ),
            (
                // Write skew: each read before the other's append.
                "no order",
                vec![
                    done(vec![read(1, &[]), append(2, 1)], 0, 5),
                    done(vec![read(2, &[]), append(1, 2)], 0, 5),
                    done(vec![read(1, &[2]), read(2, &[1])], 6, 7),
                ],
            ),
            (
                // A stale read: the append had been acknowledged before.
                "no order",
                vec![
                    done(vec![append(1, 1)], 0, 1),
                    done(vec![read(1, &[])], 2, 3),
                    done(vec![read(1, &[1])], 4, 5),
                ],
            ),
        ] {
            let found = violation(&all).unwrap_or_default();
            assert!(found.contains(what), "{what}: {found}");
        }
    }
}
