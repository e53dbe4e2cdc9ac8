//! What happens to a few keys, from a revision on.

use std::sync::Arc;

use super::super::Api;
use crate::convert::Rejection;
use crate::store::{Event, Span};
use crate::watch::{Content, NewWatcher, Options, Session, SessionLimits};

/// What waits to be looked at. Such keys change seldom; beyond this, history is read.
const BUFFER: usize = 64 << 10;

/// Follows keys without a client.
pub(super) struct Follower {
    api: Api,
    session: Session,
}

/// What a follower has to tell.
pub(super) enum News {
    /// In order, and all of one revision or several.
    Changes(Vec<Arc<Event>>),
    /// What it should tell is compacted: look at the keys themselves.
    Lost,
}

impl Follower {
    pub(super) fn new<const N: usize>(api: &Api, spans: [Span; N], from: i64) -> Self {
        let limits = SessionLimits { watchers: N, buffered_bytes: BUFFER };
        let mut session = Session::new(api.hub.clone(), api.store.clone(), limits);
        for span in spans {
            let options = Options::default();
            session.create(NewWatcher { span, start: from, id: 0, puts: true, deletions: true, options });
        }
        Self { api: api.clone(), session }
    }

    /// Waits for the next news.
    pub(super) async fn next(mut self) -> Result<(News, Self), Rejection> {
        loop {
            match self.session.next().map(|notice| notice.content) {
                Some(Content::Events(events, _)) => return Ok((News::Changes(events), self)),
                Some(Content::Compacted(_) | Content::Refused(_)) => return Ok((News::Lost, self)),
                Some(Content::Created | Content::Canceled | Content::Progress) => {}
                None if self.session.is_behind() => self = self.catch_up().await?,
                None => self.wait().await?,
            }
        }
    }

    async fn wait(&self) -> Result<(), Rejection> {
        let stopping = self.api.context.tasks().stopping();
        tokio::select! {
            biased;
            () = stopping.cancelled() => Err(Rejection::Stopped),
            () = self.session.inbox().wait() => Ok(()),
        }
    }

    async fn catch_up(mut self) -> Result<Self, Rejection> {
        if self.session.history_is_in_memory() {
            self.session.catch_up()?;
            tokio::task::yield_now().await;
            return Ok(self);
        }
        let api = self.api.clone();
        Ok(api.blocking(move || self.session.catch_up().map(|()| self)).await??)
    }
}
