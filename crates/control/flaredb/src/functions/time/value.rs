//! A field of a time, as the number that `extract` or `date_part` gives.

use crate::value::time::Interval;

/// A number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Whole(i64),
    /// With so many digits behind the point.
    Scaled(i128, u32),
    /// A day and the microseconds of it.
    Julian(i64, i64),
    /// The seconds of an interval, a year having 365.25 days and a month 30.
    Length(Interval),
    /// Whether it is above everything.
    Infinite(bool),
}

const DAY: u128 = 86_400_000_000;

impl Number {
    pub(super) fn scaled(value: i64, digits: u32) -> Self {
        Self::Scaled(i128::from(value), digits)
    }

    /// A `numeric`, as it is kept.
    pub(super) fn exact(self) -> String {
        match self {
            Self::Whole(value) => value.to_string(),
            Self::Scaled(value, digits) => {
                let scale = 10_u128.pow(digits);
                let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
                let width = digits as usize;
                format!("{sign}{}.{:0width$}", value / scale, value % scale)
            }
            Self::Julian(day, micros) => julian(day, micros),
            Self::Length(interval) => Self::Scaled(length(interval), 6).exact(),
            Self::Infinite(true) => "Infinity".to_owned(),
            Self::Infinite(false) => "-Infinity".to_owned(),
        }
    }

    /// A `float8`.
    #[expect(clippy::cast_precision_loss, reason = "as date_part does")]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Scaled(value, digits) => value as f64 / 10_u64.pow(digits) as f64,
            Self::Julian(day, micros) => day as f64 + micros as f64 / 86_400_000_000.0,
            Self::Length(Interval { months, days, micros }) => {
                // In this order, so that it rounds like PostgreSQL's.
                let years = 31_557_600.0 * f64::from(months / 12);
                micros as f64 / 1e6
                    + years
                    + 2_592_000.0 * f64::from(months % 12)
                    + 86_400.0 * f64::from(days)
            }
            Self::Infinite(true) => f64::INFINITY,
            Self::Infinite(false) => f64::NEG_INFINITY,
        }
    }
}

/// Microseconds.
fn length(interval: Interval) -> i128 {
    let (months, days) = (i128::from(interval.months), i128::from(interval.days));
    let seconds = months / 12 * 31_557_600 + (months % 12 * 30 + days) * 86_400;
    seconds * 1_000_000 + i128::from(interval.micros)
}

/// A number as C's `%g` has it: six digits that count.
pub(super) fn general(value: f64) -> String {
    let scientific = format!("{value:.5e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(digits), exponent.abs());
    }
    let places = usize::try_from(5 - exponent).unwrap_or(0);
    trimmed(&format!("{value:.places$}"))
}

/// The part of the day has as many digits as PostgreSQL's division of two `numeric` gives it: it works with four at
/// a time, and wants sixteen that count.
fn julian(day: i64, micros: i64) -> String {
    let micros = u128::from(micros.unsigned_abs());
    let (fours, first) = match micros {
        0 => (0, 0),
        1..10_000 => (0, micros),
        10_000..100_000_000 => (1, micros / 10_000),
        _ => (2, micros / 100_000_000),
    };
    let weight: i32 = fours - 2 - i32::from(first <= 864);
    let digits = (16 - weight * 4).unsigned_abs();
    let scale = 10_u128.pow(digits);
    let part = (micros * scale + DAY / 2) / DAY;
    let width = digits as usize;
    let day = i128::from(day) + i128::from(part / scale == 1);
    format!("{day}.{:0width$}", part % scale)
}
