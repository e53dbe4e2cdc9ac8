//! Randomness and fresh ids: from the operating system, or from a seed that replays a run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A shared random stream. Not for keys: those come from the TLS provider's own generator.
#[derive(Clone, Debug)]
pub struct Entropy(Arc<Mutex<ChaCha8Rng>>);

impl Entropy {
    /// Seeded by the operating system.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    pub fn system() -> Self {
        Self::seeded(rand::random())
    }

    /// The same seed gives the same stream on every machine and version.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    /// A fresh 64-bit number.
    pub fn next_u64(&self) -> u64 {
        self.with(Rng::next_u64)
    }

    /// A fresh id: never zero, because zero means "none" on most wires.
    pub fn id(&self) -> u64 {
        self.with(|rng| {
            loop {
                let id = rng.next_u64();
                if id != 0 {
                    return id;
                }
            }
        })
    }

    /// A number in `0..bound`; zero for an empty range.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.with(|rng| rng.random_range(0..bound)) }
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&self) -> f64 {
        self.with(|rng| rng.random::<f64>())
    }

    /// A duration in `0..=span`.
    pub fn jitter(&self, span: Duration) -> Duration {
        span.mul_f64(self.unit())
    }

    /// Fills `buffer`.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.with(|rng| rng.fill_bytes(buffer));
    }

    fn with<T>(&self, draw: impl FnOnce(&mut ChaCha8Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_its_stream() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        let draw = |e: &Entropy| (0..32).map(|_| e.next_u64()).collect::<Vec<_>>();
        assert_eq!(draw(&a), draw(&b));
        assert_ne!(draw(&a), draw(&Entropy::seeded(8)));
    }

    #[test]
    fn jitter_stays_inside_its_span() {
        let entropy = Entropy::seeded(1);
        let span = Duration::from_millis(10);
        assert!((0..1000).all(|_| entropy.jitter(span) <= span));
        assert_eq!(entropy.below(0), 0);
    }
}
