//! Known bugs that a simulation can put back in, to show that it would catch them.
//!
//! A component asks by name at the one place where the bug was, or would be. A real process can have
//! none: only a simulated context takes a bug on.

/// At most one known bug, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage(Option<&'static str>);

impl Sabotage {
    /// Puts the bug of this name in.
    pub(crate) fn of(bug: &'static str) -> Self {
        Self(Some(bug))
    }

    /// Whether the bug of this name is in.
    pub fn is(self, bug: &str) -> bool {
        self.0 == Some(bug)
    }
}
