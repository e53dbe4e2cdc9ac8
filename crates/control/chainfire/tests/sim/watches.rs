//! The six guarantees of a watch, each as a check of its own (etcd's `learning/api_guarantees`).

use bytes::Bytes;
use chainfire::proto::etcdserverpb::WatchResponse;
use chainfire::proto::mvccpb;
use chainfire::proto::mvccpb::event::EventType;

use crate::history::{Call, Moment, Record, Session, Watching};
use crate::model::Replay;

/// What a watcher should hear: revision, place in it, key, state.
type Expected = (i64, usize, Bytes, Option<mvccpb::KeyValue>);

pub(crate) fn check(replay: &Replay, records: &[Record], watching: &Watching) -> Result<(), String> {
    for session in &watching.sessions {
        Checker::new(replay, records, watching, session)
            .run()
            .map_err(|why| format!("{why}\n{watching:?} from {}", session.start))?;
    }
    Ok(())
}

/// Everything a watcher must have heard from a revision on.
pub(crate) fn expected(replay: &Replay, watching: &Watching, from: i64) -> Vec<Expected> {
    let mut all = Vec::new();
    for revision in from.max(2)..=replay.head() {
        let changes = replay.changes(revision).iter().enumerate();
        let wanted = changes.filter(|(_, change)| watching.wants(&change.key, change.kv.is_none()));
        all.extend(wanted.map(|(sub, change)| (revision, sub, change.key.clone(), change.kv.clone())));
    }
    all
}

struct Checker<'a> {
    replay: &'a Replay,
    records: &'a [Record],
    watching: &'a Watching,
    session: &'a Session,
    expected: Vec<Expected>,
    heard: usize,
    bookmark: i64,
    from: i64,
}

impl<'a> Checker<'a> {
    fn new(replay: &'a Replay, records: &'a [Record], watching: &'a Watching, session: &'a Session) -> Self {
        Self { replay, records, watching, session, expected: Vec::new(), heard: 0, bookmark: 0, from: 0 }
    }

    fn run(mut self) -> Result<(), String> {
        for (at, response) in &self.session.heard {
            let header = response.header.as_ref().map_or(0, |header| header.revision);
            if response.created {
                self.from = if self.session.start == 0 { header + 1 } else { self.session.start };
                self.expected = expected(self.replay, self.watching, self.from);
            } else if response.compact_revision != 0 {
                self.compacted(*at, response.compact_revision)?;
            } else if response.events.is_empty() && !response.canceled {
                self.bookmarkable(header)?;
            } else {
                self.events(*at, response, header)?;
            }
        }
        Ok(())
    }

    fn events(&mut self, at: Moment, response: &WatchResponse, header: i64) -> Result<(), String> {
        for event in &response.events {
            self.event(at, event)?;
        }
        self.atomic()?;
        self.bookmark_kept(response)?;
        let last = self.heard.checked_sub(1).map_or(0, |i| self.expected[i].0);
        if header < last {
            return Err(format!("bookmarkable: the header says {header}, the events {last}"));
        }
        Ok(())
    }

    /// Ordered, unique, reliable, resumable: what comes is the next of what should.
    fn event(&mut self, at: Moment, event: &mvccpb::Event) -> Result<(), String> {
        let Some(kv) = &event.kv else { return Err("an event without a key".into()) };
        let deleted = event.r#type() == EventType::Delete;
        let place = |e: &Expected| e.0 == kv.mod_revision && e.2 == kv.key;
        let next = self.expected.get(self.heard);
        if !next.is_some_and(place) {
            let first = self.heard == 0 && self.session.resumed;
            let guarantee = match self.expected.iter().position(place) {
                _ if first => "resumable",
                Some(i) if i + 1 == self.heard => "unique",
                Some(i) if i < self.heard => "ordered",
                Some(_) => "reliable",
                None => "truthful",
            };
            return Err(format!("{guarantee}: heard {event:?}, should have heard {next:?}"));
        }
        let told = (!deleted).then(|| kv.clone());
        if next.is_some_and(|e| e.3 != told) {
            return Err(format!("truthful: heard {event:?}, should have heard {next:?}"));
        }
        self.previous(at, event, kv)?;
        self.heard += 1;
        Ok(())
    }

    fn previous(&self, at: Moment, event: &mvccpb::Event, kv: &mvccpb::KeyValue) -> Result<(), String> {
        let before = self.replay.state(kv.mod_revision - 1).and_then(|state| state.get(&kv.key));
        let expected = before.filter(|_| self.watching.prev_kv);
        let forgotten = event.prev_kv.is_none() && self.is_compacted(kv.mod_revision, at);
        if event.prev_kv.as_ref() == expected || forgotten {
            return Ok(());
        }
        Err(format!("previous: heard {event:?}, before it was {expected:?}"))
    }

    /// Whether somebody has asked to compact what is before a revision.
    fn is_compacted(&self, revision: i64, at: Moment) -> bool {
        let asked = |record: &Record| match &record.call {
            Call::Compact(call) => record.called < at && call.revision >= revision,
            _ => false,
        };
        self.records.iter().any(asked)
    }

    /// A transaction comes in one response.
    fn atomic(&self) -> Result<(), String> {
        let last = self.heard.checked_sub(1).map(|i| &self.expected[i]);
        match (last, self.expected.get(self.heard)) {
            (Some(last), Some(next)) if last.0 == next.0 => {
                Err(format!("atomic: {} was heard without {next:?}", last.0))
            }
            _ => Ok(()),
        }
    }

    /// All before a bookmark has been heard.
    fn bookmarkable(&mut self, revision: i64) -> Result<(), String> {
        if let Some(missing) = self.expected.get(self.heard).filter(|e| e.0 <= revision) {
            return Err(format!("bookmarkable: told of {revision} before {missing:?}"));
        }
        if revision < self.bookmark || revision + 1 < self.from {
            return Err(format!("bookmarkable: {revision} after {} from {}", self.bookmark, self.from));
        }
        self.bookmark = revision;
        Ok(())
    }

    /// Nothing up to a bookmark comes after it.
    fn bookmark_kept(&self, response: &WatchResponse) -> Result<(), String> {
        let early = response.events.iter().filter_map(|event| event.kv.as_ref());
        match early.map(|kv| kv.mod_revision).find(|at| *at <= self.bookmark) {
            Some(at) => Err(format!("bookmarkable: {at} came after the bookmark {}", self.bookmark)),
            None => Ok(()),
        }
    }

    fn compacted(&self, at: Moment, revision: i64) -> Result<(), String> {
        let next = self.expected.get(self.heard).map_or(i64::MAX, |e| e.0);
        if !self.is_compacted(revision, at) {
            return Err(format!("reliable: nobody has compacted {revision}"));
        }
        // A watcher without anything to hear may be given up as well: it has a revision, too.
        if next >= revision && self.from >= revision {
            return Err(format!("reliable: given up at {revision} although nothing was missing"));
        }
        Ok(())
    }
}
