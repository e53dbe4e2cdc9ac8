//! Intervals: months, days and microseconds that stay apart.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::base::error::SqlError;

use super::civil::DAY;
use super::error::{interval_range, syntax};

/// A length of time, in parts whose length depends on when.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

impl Interval {
    /// From parts that may be too large. Error: they are.
    pub(crate) fn of(months: i64, days: i64, micros: i128) -> Result<Self, SqlError> {
        let wrong = |_| interval_range();
        Ok(Self {
            months: i32::try_from(months).map_err(wrong)?,
            days: i32::try_from(days).map_err(wrong)?,
            micros: i64::try_from(micros).map_err(wrong)?,
        })
    }

    /// What it is compared by: microseconds, a month being 30 days of 24 hours.
    pub(crate) fn span(self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(DAY) + i128::from(self.micros)
    }

    /// The three numbers as they are kept.
    pub(crate) fn to_stored(self) -> String {
        format!("{} {} {}", self.months, self.days, self.micros)
    }

    /// Error: that is none.
    pub(crate) fn from_stored(text: &str) -> Result<Self, SqlError> {
        Self::parts(text).ok_or_else(|| syntax("interval", text))
    }

    fn parts(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let months = parts.next()?.parse().ok()?;
        let days = parts.next()?.parse().ok()?;
        let micros = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { months, days, micros })
    }

    /// Error: out of range.
    pub(crate) fn plus(self, other: Self) -> Result<Self, SqlError> {
        Self::of(
            i64::from(self.months) + i64::from(other.months),
            i64::from(self.days) + i64::from(other.days),
            i128::from(self.micros) + i128::from(other.micros),
        )
    }

    /// Error: out of range.
    pub(crate) fn minus(self) -> Result<Self, SqlError> {
        Self::of(-i64::from(self.months), -i64::from(self.days), -i128::from(self.micros))
    }

    /// What is left over of months becomes days, and of days a time. Error: out of range.
    pub(crate) fn times(self, factor: f64) -> Result<Self, SqlError> {
        self.scaled(|part| part * factor, |micros| micros * factor)
    }

    /// The same by a divisor that is not zero.
    pub(crate) fn over(self, divisor: f64) -> Result<Self, SqlError> {
        self.scaled(|part| part / divisor, |micros| micros / divisor)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "checked, or a fraction"
    )]
    fn scaled(self, part: impl Fn(f64) -> f64, time: impl Fn(f64) -> f64) -> Result<Self, SqlError> {
        let whole = |value: f64| {
            let fits = value >= f64::from(i32::MIN) && value <= f64::from(i32::MAX);
            if fits { Ok(value as i32) } else { Err(interval_range()) }
        };
        let (months, days) = (part(f64::from(self.months)), part(f64::from(self.days)));
        let (months_whole, mut days_whole) = (whole(months)?, whole(days)?);
        // To the microsecond, so that what a float is off by does not show.
        let of_month = rounded((months - f64::from(months_whole)) * 30.0);
        let of_month_whole = of_month.trunc();
        let mut seconds = rounded((days - f64::from(days_whole) + of_month - of_month_whole) * 86_400.0);
        if seconds.abs() >= 86_400.0 {
            days_whole = days_whole.saturating_add((seconds / 86_400.0) as i32);
            seconds -= (seconds / 86_400.0).trunc() * 86_400.0;
        }
        let micros = (time(self.micros as f64) + seconds * 1e6).round_ties_even();
        if !(-9.223_372_036_854_775e18..=9.223_372_036_854_775e18).contains(&micros) {
            return Err(interval_range());
        }
        let days = days_whole.checked_add(of_month_whole as i32).ok_or_else(interval_range)?;
        Ok(Self { months: months_whole, days, micros: micros as i64 })
    }

    /// Thirty days become a month. Error: out of range.
    pub(crate) fn justify_days(self) -> Result<Self, SqlError> {
        let (mut months, mut days) = (i64::from(self.months) + i64::from(self.days / 30), self.days % 30);
        if months > 0 && days < 0 {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && days > 0 {
            (months, days) = (months + 1, days - 30);
        }
        Self::of(months, i64::from(days), i128::from(self.micros))
    }

    /// Twenty-four hours become a day. Error: out of range.
    pub(crate) fn justify_hours(self) -> Result<Self, SqlError> {
        let (mut days, mut micros) = (i64::from(self.days) + self.micros / DAY, self.micros % DAY);
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - DAY);
        }
        Self::of(i64::from(self.months), days, i128::from(micros))
    }

    /// Both, with all parts of one sign. Error: out of range.
    pub(crate) fn justify(self) -> Result<Self, SqlError> {
        let mut days = i64::from(self.days) + self.micros / DAY;
        let mut micros = self.micros % DAY;
        let mut months = i64::from(self.months) + days / 30;
        days %= 30;
        if months > 0 && (days < 0 || days == 0 && micros < 0) {
            (months, days) = (months - 1, days + 30);
        } else if months < 0 && (days > 0 || days == 0 && micros > 0) {
            (months, days) = (months + 1, days - 30);
        }
        if days > 0 && micros < 0 {
            (days, micros) = (days - 1, micros + DAY);
        } else if days < 0 && micros > 0 {
            (days, micros) = (days + 1, micros - DAY);
        }
        Self::of(months, days, i128::from(micros))
    }
}

/// To six digits behind the point.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round_ties_even() / 1e6
}

impl PartialEq for Interval {
    fn eq(&self, other: &Self) -> bool {
        self.span() == other.span()
    }
}

impl Eq for Interval {}

impl PartialOrd for Interval {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Interval {
    fn cmp(&self, other: &Self) -> Ordering {
        self.span().cmp(&other.span())
    }
}

impl Hash for Interval {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.span().hash(state);
    }
}

/// The order of intervals as they are kept; what is none comes last.
pub(crate) fn stored_order(left: &str, right: &str) -> Ordering {
    match (Interval::parts(left), Interval::parts(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (None, None) => left.cmp(right),
        (left, _) => left.is_none().cmp(&true).reverse(),
    }
}
