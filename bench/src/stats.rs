//! Medians and spreads of a few samples. No means: one bad round must not move the figure.

use serde::Serialize;

/// The samples of one side, one a round.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Series(pub Vec<f64>);

impl Series {
    /// The middle sample; of an even number the mean of the middle two. Zero when empty.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => 0.0,
            n if n % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The least and the greatest sample. Zeroes when empty.
    pub fn spread(&self) -> (f64, f64) {
        let least = self.0.iter().copied().min_by(f64::total_cmp).unwrap_or(0.0);
        let greatest = self.0.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
        (least, greatest)
    }
}

/// `a / b` of the medians; zero when `b` has nothing.
pub fn ratio(a: &Series, b: &Series) -> f64 {
    let below = b.median();
    if below > 0.0 { a.median() / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_one_bad_round() {
        assert_eq!(Series(vec![100.0, 1.0, 101.0]).median(), 100.0);
        assert_eq!(Series(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!(Series::default().median(), 0.0);
    }

    #[test]
    fn the_spread_is_the_whole_range() {
        assert_eq!(Series(vec![3.0, 9.0, 1.0]).spread(), (1.0, 9.0));
    }

    #[test]
    fn a_ratio_to_nothing_is_nothing() {
        let two = Series(vec![2.0]);
        assert_eq!(ratio(&two, &Series(vec![4.0])), 0.5);
        assert_eq!(ratio(&two, &Series::default()), 0.0);
    }
}
