//! Trigonometry in degrees, exact where the exact answer is known: `sind(30)` is 0.5.

use crate::base::error::SqlError;

use super::math::{RADIAN, finite, one, two, within};
use crate::functions::call::{Scalar, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_sind", 1, |call| one(call, |x| finite(x, sine))),
    strict("fl_cosd", 1, |call| one(call, |x| finite(x, cosine))),
    strict("fl_tand", 1, |call| one(call, |x| finite(x, tangent))),
    strict("fl_cotd", 1, |call| one(call, |x| finite(x, cotangent))),
    strict("fl_asind", 1, |call| {
        one(call, |x| within(x, |x| if x < 0.0 { -arc_sine(-x) } else { arc_sine(x) }))
    }),
    strict("fl_acosd", 1, |call| {
        one(call, |x| within(x, |x| if x < 0.0 { 90.0 + arc_sine(-x) } else { arc_cosine(x) }))
    }),
    strict("fl_atand", 1, |call| one(call, |x| Ok(libm::atan(x) / libm::atan(1.0) * 45.0))),
    strict("fl_atan2d", 2, |call| two(call, arc_tangent)),
];

fn arc_tangent(y: f64, x: f64) -> Result<f64, SqlError> {
    Ok(libm::atan2(y, x) / libm::atan(1.0) * 45.0)
}

/// From 0 to 30 degrees: scaled so that the end is exact.
fn low_sine(x: f64) -> f64 {
    libm::sin(x * RADIAN) / libm::sin(30.0 * RADIAN) / 2.0
}

/// From 0 to 60 degrees: scaled so that the end is exact.
fn low_cosine(x: f64) -> f64 {
    1.0 - (1.0 - libm::cos(x * RADIAN)) / (1.0 - libm::cos(60.0 * RADIAN)) / 2.0
}

/// From 0 to 90 degrees.
fn quarter_sine(x: f64) -> f64 {
    if x <= 30.0 { low_sine(x) } else { low_cosine(90.0 - x) }
}

/// From 0 to 90 degrees.
fn quarter_cosine(x: f64) -> f64 {
    if x <= 60.0 { low_cosine(x) } else { low_sine(90.0 - x) }
}

fn sine(x: f64) -> f64 {
    let (mut x, mut sign) = (libm::fmod(x, 360.0), 1.0);
    if x < 0.0 {
        (x, sign) = (-x, -sign);
    }
    if x > 180.0 {
        (x, sign) = (360.0 - x, -sign);
    }
    if x > 90.0 {
        x = 180.0 - x;
    }
    sign * quarter_sine(x)
}

fn cosine(x: f64) -> f64 {
    let (mut x, mut sign) = (libm::fmod(x, 360.0).abs(), 1.0);
    if x > 180.0 {
        x = 360.0 - x;
    }
    if x > 90.0 {
        (x, sign) = (180.0 - x, -sign);
    }
    sign * quarter_cosine(x)
}

/// In the first quarter, and the sign.
fn folded(x: f64) -> (f64, f64) {
    let (mut x, mut sign) = (libm::fmod(x, 360.0), 1.0);
    if x < 0.0 {
        (x, sign) = (-x, -sign);
    }
    if x > 180.0 {
        (x, sign) = (360.0 - x, -sign);
    }
    if x > 90.0 {
        (x, sign) = (180.0 - x, -sign);
    }
    (x, sign)
}

/// Never the negative zero.
fn tangent(x: f64) -> f64 {
    let (x, sign) = folded(x);
    let one = quarter_sine(45.0) / quarter_cosine(45.0);
    sign * (quarter_sine(x) / quarter_cosine(x) / one) + 0.0
}

/// Never the negative zero.
fn cotangent(x: f64) -> f64 {
    let (x, sign) = folded(x);
    let one = quarter_cosine(45.0) / quarter_sine(45.0);
    sign * (quarter_cosine(x) / quarter_sine(x) / one) + 0.0
}

/// From 0 to 1.
fn arc_sine(x: f64) -> f64 {
    if x <= 0.5 {
        libm::asin(x) / libm::asin(0.5) * 30.0
    } else {
        90.0 - libm::acos(x) / libm::acos(0.5) * 60.0
    }
}

/// From 0 to 1.
fn arc_cosine(x: f64) -> f64 {
    if x <= 0.5 {
        90.0 - libm::asin(x) / libm::asin(0.5) * 30.0
    } else {
        libm::acos(x) / libm::acos(0.5) * 60.0
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn known_angles_are_exact() {
        check(&[
            ("fl_sind(30.0)", "0.5"),
            ("fl_sind(-390.0)", "-0.5"),
            ("fl_cosd(60.0)", "0.5"),
            ("fl_cosd(90.0)", "0.0"),
            ("fl_tand(45.0)", "1.0"),
            ("fl_tand(180.0)", "0.0"),
            ("fl_cotd(45.0)", "1.0"),
            ("fl_asind(0.5)", "30.0"),
            ("fl_acosd(-0.5)", "120.0"),
            ("fl_atand(1.0)", "45.0"),
            ("fl_atan2d(1.0, -1.0)", "135.0"),
        ]);
    }
}
