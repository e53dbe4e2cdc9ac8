//! Watches: every change of a span, in order, once, whole transactions at a time, from any revision
//! that is not compacted.
//!
//! [`Hub`] dispatches new transactions to the streams, [`session::Session`] holds one stream's
//! watchers and their catching up. What a client is owed is never kept for it: history is, and a
//! watcher is a position in it. So a client that does not read costs a bounded buffer, and loses
//! nothing that is not compacted meanwhile.
//!
//! A response about progress (a bookmark) passes through the same queue as the changes before it, so
//! that it cannot overtake them (etcd #15220).

mod hub;
mod inbox;
mod index;
mod session;
mod survey;
#[cfg(test)]
mod tests;

pub use hub::Hub;
pub(crate) use hub::run;
pub use session::SessionLimits;
pub(crate) use session::{Content, NewWatcher, Notice, Options, Session};
pub(crate) use survey::{LAGS, Lag};
