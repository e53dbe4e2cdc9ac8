//! Trying again, with growing pauses that do not march in step.
//!
//! Full jitter: each pause is drawn from zero up to a bound that doubles. Many clients of a server that
//! comes back then spread over the whole bound instead of arriving together. Refuses to decide what may be
//! tried again: the caller marks each error.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::entropy::Entropy;

/// The pauses between attempts.
#[derive(Clone, Debug)]
pub struct Backoff {
    entropy: Entropy,
    first: Duration,
    longest: Duration,
    bound: Duration,
}

impl Backoff {
    /// Pauses of at most `first`, then twice that, and so on up to `longest`.
    pub fn new(entropy: &Entropy, first: Duration, longest: Duration) -> Self {
        Self { entropy: entropy.clone(), first, longest, bound: first }
    }

    /// The next pause.
    pub fn next_delay(&mut self) -> Duration {
        let bound = self.bound.min(self.longest);
        self.bound = bound.saturating_mul(2);
        self.entropy.jitter(bound)
    }

    /// It worked: the next trouble starts with short pauses again.
    pub fn reset(&mut self) {
        self.bound = self.first;
    }
}

/// What became of an attempt that failed.
#[derive(Debug)]
pub enum Failed<E> {
    /// Another attempt may help.
    Again(E),
    /// It will never work, or must not run twice.
    ForGood(E),
}

/// Attempts until one works, one fails for good, or `patience` is over; then the last error is given. The
/// last attempt is not cut short: give it a deadline of its own.
pub async fn with<T, E, F: Future<Output = Result<T, Failed<E>>>>(
    mut backoff: Backoff,
    patience: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T, E> {
    let end = Instant::now() + patience;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(Failed::ForGood(e)) => return Err(e),
            Err(Failed::Again(e)) => e,
        };
        let delay = backoff.next_delay();
        if Instant::now() + delay >= end {
            return Err(error);
        }
        tokio::time::sleep(delay).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(1);

    fn backoff(seed: u64) -> Backoff {
        Backoff::new(&Entropy::seeded(seed), FIRST, LONGEST)
    }

    #[test]
    fn bounds_double_up_to_the_longest_and_start_again() {
        for seed in 0..50 {
            let mut pauses = backoff(seed);
            for bound in [100, 200, 400, 800, 1000, 1000] {
                assert!(pauses.next_delay() <= Duration::from_millis(bound));
            }
            pauses.reset();
            assert!(pauses.next_delay() <= FIRST);
        }
        let longest = (0..50).map(|seed| backoff(seed).next_delay()).max();
        assert!(longest > Some(FIRST / 2), "no jitter at all: {longest:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_it_works() {
        let tries = Cell::new(0);
        let result = with(backoff(1), Duration::from_secs(60), || {
            tries.set(tries.get() + 1);
            let n = tries.get();
            async move { if n < 5 { Err(Failed::Again("not yet")) } else { Ok(n) } }
        });
        assert_eq!(result.await, Ok(5));
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_for_good_or_out_of_patience() {
        let result: Result<(), _> = with(backoff(1), LONGEST, || async { Err(Failed::ForGood("no")) }).await;
        assert_eq!(result, Err("no"));
        let begin = Instant::now();
        let result: Result<(), _> = with(backoff(1), LONGEST, || async { Err(Failed::Again("busy")) }).await;
        assert_eq!(result, Err("busy"));
        assert!(begin.elapsed() <= LONGEST);
    }
}
