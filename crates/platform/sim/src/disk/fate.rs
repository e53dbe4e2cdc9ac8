//! What becomes of everything that was not synced.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The two extremes are as likely as everything between them together: bugs sit at both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing had been written back.
    Lost,
    /// All of it had.
    Kept,
    /// Some of it had.
    Torn,
}

impl Fate {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..4) {
            0 => Self::Lost,
            1 => Self::Kept,
            _ => Self::Torn,
        }
    }
}
