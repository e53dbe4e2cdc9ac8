//! The histogram that openraft counts batches and stages in, small.
//!
//! openraft asks for the crate of this name; that one builds tables for sixteen resolutions when the first
//! histogram is made, of which one is used, and every process kept 25 MB of them resident: a fifth of a member.
//! This stands in for it (`[patch.crates-io]` of the workspace) with what openraft calls and no more. To be
//! dropped when a release makes its tables as they are asked for.
//!
//! A bucket is a power of two and its four quarters, so that a percentile is at most a fifth too small.

use std::fmt;
use std::marker::PhantomData;

/// Bits behind the highest one that tell buckets apart.
const FRACTION: u32 = 2;
const QUARTERS: usize = 1 << FRACTION;
/// Small numbers have buckets of their own, then four for each power of two up to 2⁶³.
const BUCKETS: usize = (64 - FRACTION as usize) * QUARTERS + QUARTERS;
/// Characters of the longest bar.
const BAR: u64 = 40;

/// How often numbers of about a size were recorded. `T` is what the original attaches to periods: nothing here.
pub struct Histogram<T = ()> {
    counts: Box<[u64; BUCKETS]>,
    period: PhantomData<fn() -> T>,
}

impl<T> Histogram<T> {
    /// One with nothing in it.
    pub fn new() -> Self {
        Self { counts: Box::new([0; BUCKETS]), period: PhantomData }
    }

    /// Counts one number.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a number several times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let count = &mut self.counts[bucket(value)];
        *count = count.saturating_add(times);
    }

    /// Numbers recorded.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The least number of the bucket below which a share `p` (0 to 1) of what was recorded lies; 0 for nothing.
    pub fn percentile(&self, p: f64) -> u64 {
        let rank = (self.total() as f64 * p).ceil().max(1.0) as u64;
        let mut seen = 0u64;
        let reached = self.counts.iter().position(|count| {
            seen = seen.saturating_add(*count);
            seen >= rank
        });
        reached.map_or(0, least)
    }

    /// The usual percentiles.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.percentile(0.001),
            p1: self.percentile(0.01),
            p5: self.percentile(0.05),
            p10: self.percentile(0.10),
            p50: self.percentile(0.50),
            p90: self.percentile(0.90),
            p99: self.percentile(0.99),
            p99_9: self.percentile(0.999),
        }
    }
}

/// Where a number is counted.
fn bucket(value: u64) -> usize {
    let highest = 63u32.saturating_sub(value.leading_zeros());
    if highest < FRACTION {
        return value as usize;
    }
    let quarter = (value >> (highest - FRACTION)) as usize % QUARTERS;
    (highest - FRACTION) as usize * QUARTERS + QUARTERS + quarter
}

/// The least number that is counted there.
fn least(bucket: usize) -> u64 {
    if bucket < QUARTERS {
        return bucket as u64;
    }
    let (power, quarter) = ((bucket - QUARTERS) / QUARTERS, (bucket - QUARTERS) % QUARTERS);
    ((QUARTERS + quarter) as u64) << power
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

// Written out, because what `T` can do does not matter.
impl<T> Clone for Histogram<T> {
    fn clone(&self) -> Self {
        Self { counts: self.counts.clone(), period: PhantomData }
    }
}

impl<T> PartialEq for Histogram<T> {
    fn eq(&self, other: &Self) -> bool {
        self.counts == other.counts
    }
}

impl<T> Eq for Histogram<T> {}

impl<T> fmt::Debug for Histogram<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Histogram({})", self.percentile_stats())
    }
}

/// How many numbers were recorded, and below which the shares of them lie that the names say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are percentiles")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples: p50 {}, p90 {}, p99 {}", self.samples, self.p50, self.p90, self.p99)
    }
}

/// Histograms as bars of characters, for a log.
#[derive(Debug, Clone)]
pub struct AsciiChart<T = ()>(Vec<(String, Histogram<T>)>);

impl<T> AsciiChart<T> {
    /// One with nothing in it.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// With one histogram more.
    #[must_use]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.0.push((name.to_owned(), histogram));
        self
    }
}

impl<T> Default for AsciiChart<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Display for AsciiChart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, histogram) in &self.0 {
            writeln!(f, "{name}")?;
            let most = histogram.counts.iter().copied().max().unwrap_or_default().max(1);
            for (bucket, count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let bar = "#".repeat((u128::from(*count) * u128::from(BAR) / u128::from(most)) as usize);
                writeln!(f, "{:>20} {count:>12} {bar}", least(bucket))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_in_the_bucket_that_names_it() {
        let powers =
            (0..64).flat_map(|power| [1u64 << power, (1 << power) - 1, (1 << power) + (1 << power) / 3]);
        let mut numbers: Vec<u64> = powers.chain([u64::MAX]).collect();
        numbers.sort_unstable();
        let mut before = 0;
        for number in numbers {
            let at = bucket(number);
            assert!(at < BUCKETS && before <= at, "{number}");
            assert!(least(at) <= number && number - least(at) <= number / 4, "{number} in {}", least(at));
            assert_eq!(bucket(least(at)), at);
            before = at;
        }
    }

    #[test]
    fn percentiles_are_the_least_of_their_bucket() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile_stats().p99, 0);
        (1..=100).for_each(|n| histogram.record(n));
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p1, stats.p50, stats.p99), (100, 1, 48, 96));
        histogram.record_n(1 << 40, u64::MAX);
        assert_eq!((histogram.total(), histogram.percentile(0.5)), (u64::MAX, 1 << 40));
    }

    #[test]
    fn a_chart_shows_what_was_counted() {
        let mut histogram = Histogram::<()>::new();
        histogram.record_n(8, 3);
        let chart = AsciiChart::new().add("sizes", histogram.clone()).to_string();
        assert!(chart.starts_with("sizes\n") && chart.contains("8            3 ####"), "{chart}");
        assert_eq!(histogram, histogram.clone());
    }
}
