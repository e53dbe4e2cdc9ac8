//! One stream of watch requests and responses, without the stream: decisions only.
//!
//! Every watcher is either *in step*, served by the hub through the stream's inbox, or *behind*, and
//! then it catches up from history, together with the stream's others, a slice whenever the client
//! has taken what there was. It changes from one to the other at an exact transaction, so that it
//! hears of each exactly once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::hub::{Hub, Member};
use super::inbox::{Inbox, Item, Marked};
use super::index::{Index, Wish};
use super::survey::Standing;
use crate::store::{Budget, Event, Span, Store, StoreError};

/// History read at once for those who are behind.
const SLICE: Budget = Budget { events: 1024, bytes: 1 << 20 };
/// Transactions are joined into one response up to this many bytes.
const JOINED: usize = 64 << 10;

/// Bounds of one stream.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Watchers.
    pub watchers: usize,
    /// Bytes of changes that wait for the client.
    pub buffered_bytes: usize,
}

/// What a client asks of a new watcher.
#[derive(Clone, Debug)]
pub(crate) struct NewWatcher {
    pub(crate) span: Span,
    /// 0: what comes from now on.
    pub(crate) start: i64,
    /// 0: any.
    pub(crate) id: i64,
    pub(crate) puts: bool,
    pub(crate) deletions: bool,
    pub(crate) options: Options,
}

/// How a watcher wants its responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) prev_kv: bool,
    pub(crate) progress: bool,
    pub(crate) fragment: bool,
}

/// Something to tell the client.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// -1: no watcher in particular.
    pub(crate) id: i64,
    /// The store's, or how far the watcher has come.
    pub(crate) revision: i64,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Created,
    /// A watcher that was not created.
    Refused(Cow<'static, str>),
    Canceled,
    /// The watcher asked for what is compacted; this is the oldest revision left.
    Compacted(i64),
    Events(Vec<Arc<Event>>, Options),
    Progress,
}

/// The id of responses about no watcher.
const NOBODY: i64 = -1;

#[derive(Debug)]
struct Watcher {
    id: i64,
    options: Options,
    /// `wish.from` is the first transaction that the client has not been told of.
    wish: Wish,
    /// Its place at the hub, while in step.
    member: Option<Arc<Member>>,
    /// Nothing was sent since the last look.
    quiet: bool,
}

/// The watchers of one stream.
pub(crate) struct Session {
    hub: Arc<Hub>,
    store: Arc<Store>,
    inbox: Arc<Inbox>,
    standing: Arc<Standing>,
    limits: SessionLimits,
    watchers: BTreeMap<u64, Watcher>,
    ids: BTreeMap<i64, u64>,
    behind: BTreeSet<u64>,
    behind_by_key: Index<()>,
    ready: VecDeque<Notice>,
    next_id: i64,
    /// The client wants to know when the whole stream has come this far.
    progress_wanted: Option<i64>,
    progress_marked: bool,
}

impl Session {
    pub(crate) fn new(hub: Arc<Hub>, store: Arc<Store>, limits: SessionLimits) -> Self {
        Self::of(String::new(), hub, store, limits)
    }

    /// A client's.
    pub(crate) fn of(who: String, hub: Arc<Hub>, store: Arc<Store>, limits: SessionLimits) -> Self {
        let inbox = Inbox::new(limits.buffered_bytes);
        let standing = Standing::new(who, inbox.clone());
        hub.enrol(&standing);
        Self {
            hub,
            store,
            inbox,
            standing,
            limits,
            watchers: BTreeMap::new(),
            ids: BTreeMap::new(),
            behind: BTreeSet::new(),
            behind_by_key: Index::default(),
            ready: VecDeque::new(),
            next_id: 0,
            progress_wanted: None,
            progress_marked: false,
        }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// How many watchers there are.
    pub(crate) fn watchers(&self) -> usize {
        self.watchers.len()
    }

    fn tell(&mut self, id: i64, revision: i64, content: Content) {
        self.ready.push_back(Notice { id, revision, content });
    }

    /// Adds a watcher, or says why not.
    pub(crate) fn create(&mut self, new: NewWatcher) {
        let head = self.store.view().head();
        if let Some(why) = self.refusal(&new) {
            return self.tell(NOBODY, head, Content::Refused(why.into()));
        }
        let id = self.choose_id(new.id);
        let serial = self.hub.serial();
        let mut from = if new.start == 0 { head + 1 } else { new.start };
        if self.store.sabotage().is("deliver an event twice after a resume") && new.start > 1 {
            from -= 1;
        }
        let wish = Wish { span: new.span, puts: new.puts, deletions: new.deletions, from };
        self.ids.insert(id, serial);
        self.standing.came(serial, id, wish.span.clone());
        self.watchers.insert(serial, Watcher { id, options: new.options, wish, member: None, quiet: true });
        self.tell(id, head, Content::Created);
        // What is compacted may still be there, but a client must not come to rely on it.
        if from < self.store.compacted() || !self.join(serial) {
            self.fall_behind(serial);
        }
    }

    /// Says why a watcher is not added, for a reason that is not the session's.
    pub(crate) fn refuse(&mut self, why: String) {
        let head = self.store.view().head();
        self.tell(NOBODY, head, Content::Refused(why.into()));
    }

    /// etcd's texts.
    fn refusal(&self, new: &NewWatcher) -> Option<&'static str> {
        if new.start < 0 {
            return Some("etcdserver: mvcc: required revision has been compacted");
        }
        if new.span.is_empty() {
            return Some("mvcc: watcher range is empty");
        }
        if new.id != 0 && self.ids.contains_key(&new.id) {
            return Some("mvcc: duplicate watch ID provided on the WatchStream");
        }
        (self.watchers.len() >= self.limits.watchers).then_some("etcdserver: too many requests")
    }

    fn choose_id(&mut self, wanted: i64) -> i64 {
        if wanted != 0 {
            return wanted;
        }
        while self.ids.contains_key(&self.next_id) {
            self.next_id += 1;
        }
        self.next_id += 1;
        self.next_id - 1
    }

    /// Tries to be served by the hub from the next transaction on.
    fn join(&mut self, serial: u64) -> bool {
        let Some(watcher) = self.watchers.get_mut(&serial) else { return true };
        let member = Arc::new(Member { wish: watcher.wish.clone(), inbox: self.inbox.clone() });
        let joined = self.hub.join(serial, &member);
        watcher.member = joined.then_some(member);
        joined
    }

    fn fall_behind(&mut self, serial: u64) {
        if let Some(watcher) = self.watchers.get_mut(&serial) {
            watcher.member = None;
            self.standing.behind(serial, Some(watcher.wish.from));
            self.behind.insert(serial);
            self.behind_by_key.insert(&watcher.wish.span, serial, ());
        }
    }

    fn catch_step(&mut self, serial: u64) {
        if self.join(serial) {
            self.forget_behind(serial);
        }
    }

    fn forget_behind(&mut self, serial: u64) {
        self.standing.behind(serial, None);
        if let Some(watcher) = self.watchers.get(&serial) {
            self.behind_by_key.remove(&watcher.wish.span, serial);
        }
        self.behind.remove(&serial);
    }

    /// Removes a watcher at the client's wish. Of an unknown one nothing is said, as in etcd.
    pub(crate) fn cancel(&mut self, id: i64) {
        let Some(serial) = self.ids.get(&id).copied() else { return };
        self.remove(serial);
        let head = self.store.view().head();
        self.tell(id, head, Content::Canceled);
    }

    fn remove(&mut self, serial: u64) {
        self.forget_behind(serial);
        self.standing.went(serial);
        if let Some(watcher) = self.watchers.remove(&serial) {
            self.ids.remove(&watcher.id);
            if let Some(member) = watcher.member {
                self.hub.leave(serial, &member);
            }
        }
    }

    /// The client wants to know when every watcher has come as far as the store is now.
    pub(crate) fn request_progress(&mut self) {
        let head = self.store.view().head();
        if self.store.sabotage().is("tell progress ahead of events") {
            return self.tell(NOBODY, head, Content::Progress);
        }
        self.progress_wanted = self.progress_wanted.max(Some(head));
    }

    /// Whether a wish for progress waits for the hub.
    pub(crate) fn awaits_hub(&self) -> bool {
        self.progress_wanted.is_some() && !self.progress_marked && self.behind.is_empty()
    }

    /// Tells watchers that wish it and were not told anything since the last look how far they are.
    pub(crate) fn look_around(&mut self) {
        for (serial, watcher) in &mut self.watchers {
            if watcher.options.progress && watcher.quiet && watcher.member.is_some() {
                self.hub.mark(&self.inbox, Marked::Watcher(*serial));
            }
            watcher.quiet = true;
        }
    }

    /// The next thing to tell, if there is one without reading history.
    pub(crate) fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.ready.pop_front() {
                return Some(notice);
            }
            self.mark_progress();
            match self.inbox.pop(JOINED)? {
                Item::Events { watcher, events } => self.deliver(watcher, events, None),
                Item::Behind { watcher, from } => self.lose_step(watcher, from),
                Item::Mark { for_whom, revision } => self.pass_mark(for_whom, revision),
            }
        }
    }

    fn mark_progress(&mut self) {
        let reached = *self.hub.dispatched().borrow();
        if self.awaits_hub() && self.progress_wanted.is_some_and(|wanted| reached >= wanted) {
            self.hub.mark(&self.inbox, Marked::Stream);
            self.progress_marked = true;
        }
    }

    fn pass_mark(&mut self, for_whom: Marked, revision: i64) {
        match for_whom {
            Marked::Watcher(serial) => {
                let told = self.watchers.get(&serial).filter(|w| w.has_heard_all_up_to(revision));
                if let Some(id) = told.map(|watcher| watcher.id) {
                    self.tell(id, revision, Content::Progress);
                }
            }
            Marked::Stream => {
                self.progress_marked = false;
                // Somebody fell behind meanwhile: mark again when it has caught up.
                if !self.behind.is_empty() {
                    return;
                }
                // A watcher of the future holds the answer up until its time has come, as in etcd.
                let begins = self.watchers.values().filter_map(|watcher| watcher.begins()).max();
                self.progress_wanted = begins.map(|from| from - 1).filter(|needed| *needed > revision);
                if self.progress_wanted.is_none() && begins.is_some() {
                    self.tell(NOBODY, revision, Content::Progress);
                }
            }
        }
    }

    fn lose_step(&mut self, serial: u64, from: i64) {
        if let Some(watcher) = self.watchers.get_mut(&serial) {
            let lost = self.store.sabotage().is("forget what a slow watcher had no room for");
            watcher.wish.from = from + i64::from(lost);
            self.fall_behind(serial);
        }
    }

    /// `complete_to`: everything up to this transaction is included; else up to the last event.
    fn deliver(&mut self, serial: u64, events: Vec<Arc<Event>>, complete_to: Option<i64>) {
        let Some(watcher) = self.watchers.get_mut(&serial) else { return };
        let Some(last) = events.last().map(|event| event.revision.main) else { return };
        watcher.quiet = false;
        watcher.wish.from = last + 1;
        let (id, options) = (watcher.id, watcher.options);
        self.tell(id, complete_to.unwrap_or(last), Content::Events(events, options));
    }

    /// Whether [`Self::catch_up`] has something to do.
    pub(crate) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Whether it can do it without the disk.
    pub(crate) fn history_is_in_memory(&self) -> bool {
        self.oldest().is_none_or(|from| self.store.view().in_memory(from))
    }

    fn oldest(&self) -> Option<i64> {
        self.behind.iter().filter_map(|serial| Some(self.watchers.get(serial)?.wish.from)).min()
    }

    /// Reads one slice of history for those who are behind.
    pub(crate) fn catch_up(&mut self) -> Result<(), StoreError> {
        // In this order: what the view lacks was compacted before it was taken.
        let view = self.store.view();
        self.give_up_compacted(self.store.compacted(), view.head());
        let Some(from) = self.oldest() else { return Ok(()) };
        let events = view.events_from(from, SLICE)?;
        let reached = events.last().map_or(view.head(), |last| last.revision.main);
        for (serial, events) in self.sort_out(&events) {
            self.deliver(serial, events, Some(reached));
        }
        for serial in self.behind.clone() {
            let Some(watcher) = self.watchers.get_mut(&serial) else { continue };
            watcher.wish.from = watcher.wish.from.max(reached + 1);
            self.standing.behind(serial, Some(watcher.wish.from));
            if reached >= view.head() {
                self.catch_step(serial);
            }
        }
        Ok(())
    }

    fn sort_out(&self, events: &[Arc<Event>]) -> BTreeMap<u64, Vec<Arc<Event>>> {
        let mut wanted: BTreeMap<u64, Vec<Arc<Event>>> = BTreeMap::new();
        for event in events {
            self.behind_by_key.visit(&event.key, |serial, ()| {
                if self.watchers.get(&serial).is_some_and(|watcher| watcher.wish.passes(event)) {
                    wanted.entry(serial).or_default().push(event.clone());
                }
            });
        }
        wanted
    }

    fn give_up_compacted(&mut self, compacted: i64, head: i64) {
        for serial in self.behind.clone() {
            let lost = self.watchers.get(&serial).filter(|watcher| watcher.wish.from < compacted);
            if let Some(id) = lost.map(|watcher| watcher.id) {
                self.remove(serial);
                self.tell(id, head, Content::Compacted(compacted));
            }
        }
    }
}

impl Watcher {
    /// The first transaction that the hub queues for it; none while it is behind.
    fn begins(&self) -> Option<i64> {
        self.member.as_ref().map(|member| member.wish.from)
    }

    /// Whether everything up to a mark was delivered before it. A watcher of the future is not told
    /// about the time before it (etcd #20221).
    fn has_heard_all_up_to(&self, mark: i64) -> bool {
        self.begins().is_some_and(|from| from <= mark + 1)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for (serial, watcher) in std::mem::take(&mut self.watchers) {
            if let Some(member) = watcher.member {
                self.hub.leave(serial, &member);
            }
        }
    }
}
