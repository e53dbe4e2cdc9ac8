//! Who wants to hear of a key.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::store::{Event, Span};

/// What a watcher wants to hear of.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) span: Span,
    pub(crate) puts: bool,
    pub(crate) deletions: bool,
    /// The first transaction.
    pub(crate) from: i64,
}

impl Wish {
    /// Whether a change of a key of the span is wanted.
    pub(crate) fn passes(&self, event: &Event) -> bool {
        event.revision.main >= self.from && if event.deleted { self.deletions } else { self.puts }
    }
}

/// Watchers by what they watch: a lookup for those of one key, a walk over the distinct spans for
/// the others. Many watchers of one span cost one comparison.
#[derive(Debug)]
pub(crate) struct Index<T> {
    keys: BTreeMap<Bytes, Vec<(u64, T)>>,
    spans: BTreeMap<Span, Vec<(u64, T)>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { keys: BTreeMap::new(), spans: BTreeMap::new() }
    }
}

impl<T> Index<T> {
    /// Adds a watcher under a number of its own.
    pub(crate) fn insert(&mut self, span: &Span, serial: u64, watcher: T) {
        let place = match span.single() {
            Some(key) => self.keys.entry(key.clone()).or_default(),
            None => self.spans.entry(span.clone()).or_default(),
        };
        place.push((serial, watcher));
    }

    /// Removes the watcher of this number.
    pub(crate) fn remove(&mut self, span: &Span, serial: u64) {
        let left = |watchers: &mut Vec<(u64, T)>| {
            watchers.retain(|(of, _)| *of != serial);
            watchers.is_empty()
        };
        match span.single() {
            Some(key) if self.keys.get_mut(key).is_some_and(left) => drop(self.keys.remove(key)),
            None if self.spans.get_mut(span).is_some_and(left) => drop(self.spans.remove(span)),
            _ => {}
        }
    }

    /// Visits every watcher of a key.
    pub(crate) fn visit(&self, key: &Bytes, mut visit: impl FnMut(u64, &T)) {
        let of_key = self.keys.get(key).into_iter().flatten();
        let begun = self.spans.iter().take_while(|(span, _)| span.start() <= key);
        let of_span = begun.filter(|(span, _)| span.reaches(key)).flat_map(|(_, watchers)| watchers);
        of_key.chain(of_span).for_each(|(serial, watcher)| visit(*serial, watcher));
    }

    /// Takes everybody out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u64, T)> + use<T> {
        let (keys, spans) = (std::mem::take(&mut self.keys), std::mem::take(&mut self.spans));
        keys.into_values().chain(spans.into_values()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_key_reaches_exactly_those_whose_span_holds_it() {
        let ends = ["", "\0", "a", "b", "bb", "c"];
        let spans: Vec<Span> = ["\0", "a", "b", "bb", "c"]
            .iter()
            .flat_map(|start| ends.map(|end| Span::new(Bytes::from(*start), Bytes::from(end))))
            .filter(|span| !span.is_empty())
            .collect();
        let mut index = Index::default();
        for (serial, span) in (0..).zip(&spans) {
            index.insert(span, serial, ());
        }
        for removed in (0..spans.len()).step_by(3) {
            index.remove(&spans[removed], removed as u64);
        }
        for key in ["\0", "0", "a", "aa", "b", "bb", "bc", "c", "d"] {
            let mut seen = BTreeSet::new();
            index.visit(&Bytes::from(key), |serial, ()| assert!(seen.insert(serial)));
            let holds = |i: &u64| !i.is_multiple_of(3) && spans[*i as usize].contains(key.as_bytes());
            assert_eq!(seen, (0..spans.len() as u64).filter(holds).collect(), "{key:?}");
        }
        assert_eq!(index.drain().count(), spans.len() - spans.len().div_ceil(3));
        index.visit(&Bytes::from("a"), |_, ()| panic!("nobody is left"));
    }
}
