//! The one thing a service brings: what the replicated commands mean.

use std::io;

use bytes::Bytes;

/// A committed command, in log order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its place in the group's log.
    pub index: u64,
    /// The term that its leader led in: with the index, it names the entry.
    pub term: u64,
    /// What was proposed.
    pub payload: Bytes,
}

/// The slow part of a flush. Blocks.
pub type Flush = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Replicated state, with a thread of its own: blocking calls are welcome.
///
/// The same commands must give the same state and the same replies on every replica, whatever the
/// wall clock or the machine. An error from any method is final: the process ends, and on its next
/// start catches up from the log.
pub trait StateMachine: Send + 'static {
    /// Whether `apply` of these few takes microseconds and does not block: then they are applied by whoever
    /// hears that they are committed, without waking the state's own thread.
    fn is_quick(&self, _commands: &[Command]) -> bool {
        false
    }

    /// The `position` stored with the state that survived; none for an empty one.
    fn position(&self) -> io::Result<Option<Bytes>>;

    /// Applies commands in order, as one atomic commit together with `position` (opaque, a few KiB
    /// at most). Gives one reply a command. The commit need not be durable: see [`Self::flush`].
    fn apply(&mut self, commands: &[Command], position: &Bytes) -> io::Result<Vec<Bytes>>;

    /// Makes everything applied so far durable, in two steps: what is returned does the slow part
    /// while `apply` goes on. Once it has succeeded, the log before may be forgotten. One runs at a
    /// time.
    fn flush(&mut self) -> io::Result<Flush>;

    /// A consistent image of the whole state, to be read on another thread while `apply` goes on.
    fn export(&self) -> io::Result<Box<dyn io::Read + Send>>;

    /// Replaces the whole state by an image and stores `position`, durably: a crash leaves the old
    /// state or the new one. A damaged image is an error and changes nothing.
    fn import(&mut self, image: &mut dyn io::Read, position: &Bytes) -> io::Result<()>;
}
