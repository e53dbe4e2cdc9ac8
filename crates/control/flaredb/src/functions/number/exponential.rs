//! `exp`, `ln` and `power`, to the last digit: the library's are now and then off by one there, even for
//! `exp(1)`. Computed with twice the digits, starting from the library's answer where there is one.

/// A number in two parts, the second too small for the first to hold.
#[derive(Clone, Copy)]
struct Double(f64, f64);

/// The logarithm of 2: so few digits that a multiple of it is exact, and the rest.
const LN2: Double = Double(0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);

/// One through the logarithm of 10.
const PER_LN10: f64 = std::f64::consts::LOG10_E;

/// The logarithm of 2 to the base of 10: so few digits that a multiple of it is exact, and the rest.
const LOG2: Double = Double(0.301_029_995_663_611_77, 3.694_239_077_158_931e-13);

/// Terms of the series: enough for twice the digits of the result.
const TERMS: u32 = 22;

/// The sum of two numbers without loss.
fn sum(a: f64, b: f64) -> Double {
    let whole = a + b;
    let share = whole - a;
    Double(whole, (a - (whole - share)) + (b - share))
}

/// The product of two numbers without loss.
fn product(a: f64, b: f64) -> Double {
    let whole = a * b;
    Double(whole, libm::fma(a, b, -whole))
}

impl Double {
    fn times(self, other: Self) -> Self {
        let Self(whole, rest) = product(self.0, other.0);
        sum(whole, rest + (self.0 * other.1 + self.1 * other.0))
    }

    fn by(self, divisor: f64) -> Self {
        let whole = self.0 / divisor;
        sum(whole, (libm::fma(-whole, divisor, self.0) + self.1) / divisor)
    }

    fn plus(self, other: Self) -> Self {
        let Self(whole, rest) = sum(self.0, other.0);
        sum(whole, rest + (self.1 + other.1))
    }
}

/// `exp`, as a number near 1 and how often it is doubled.
fn series(x: Double) -> (Double, i32) {
    let doublings = (x.0 * std::f64::consts::LOG2_E).round();
    let away = product(doublings, -LN2.1);
    let part = sum(x.0, -(doublings * LN2.0)).plus(Double(x.1, 0.0)).plus(away);
    let mut series = Double(1.0, 0.0);
    for term in (1..=TERMS).rev() {
        series = series.times(part).by(f64::from(term)).plus(Double(1.0, 0.0));
    }
    (series, doublings as i32)
}

/// The natural logarithm of a positive number, by one step of Newton's from the library's.
fn logarithm(x: f64) -> Double {
    let near = libm::log(x);
    let (inverse, doublings) = series(Double(-near, 0.0));
    // In two steps: the power of two alone may be more than a number can be.
    let half = doublings / 2;
    let scaled = libm::scalbn(libm::scalbn(x, half), doublings - half);
    let ratio = Double(scaled, 0.0).times(inverse);
    let rest = (ratio.0 - 1.0) + ratio.1;
    sum(near, rest)
}

/// Infinite where the result is more than a number can be, zero where it is less.
pub(crate) fn exp(x: f64) -> f64 {
    let near = libm::exp(x);
    if !near.is_normal() {
        return near;
    }
    let (series, doublings) = series(Double(x, 0.0));
    libm::scalbn(series.0 + series.1, doublings)
}

/// The natural logarithm.
pub(crate) fn ln(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return libm::log(x);
    }
    let Double(near, rest) = logarithm(x);
    near + rest
}

/// The logarithm to the base of 10: the parts of the power of two and of the rest, added up as the usual library does
/// where it multiplies and adds in one step. Its last digit is taken over even where it is off by one; a build of
/// that library without such steps may have another one there.
pub(crate) fn log10(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return libm::log10(x);
    }
    let doublings = libm::ilogb(x);
    // Below one, the rest is taken from below one too.
    let doublings = doublings + i32::from(doublings < 0);
    let (times, rest) = (f64::from(doublings), libm::scalbn(x, -doublings));
    libm::fma(PER_LN10, ln(rest), times * LOG2.1) + times * LOG2.0
}

/// A power.
pub(crate) fn pow(base: f64, exponent: f64) -> f64 {
    let near = libm::pow(base, exponent);
    if !near.is_normal() || !base.is_normal() || near.abs() == 1.0 {
        return near;
    }
    let Double(whole, rest) = logarithm(base.abs()).times(Double(exponent, 0.0));
    let (series, doublings) = series(Double(whole, rest));
    libm::scalbn(series.0 + series.1, doublings).copysign(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_right() {
        for (x, expected) in [
            (0.0, 1.0),
            (1.0, 2.718281828459045),
            (-1.0, 0.36787944117144233),
            (0.5, 1.6487212707001282),
            (10.0, 22026.465794806718),
            (270.0, 1.8176493851391e117),
            (709.0, 8.218407461554972e307),
            (-745.0, 5e-324),
            (1e-20, 1.0),
            (710.0, f64::INFINITY),
            (f64::INFINITY, f64::INFINITY),
            (f64::NEG_INFINITY, 0.0),
            (-750.0, 0.0),
        ] {
            assert_eq!(exp(x), expected, "{x}");
        }
        for (x, expected) in [(1.0, 0.0), (788.7233511355132, 6.670415627085624), (1e300, 690.7755278982137)]
        {
            assert_eq!(ln(x), expected, "{x}");
        }
        for (x, expected) in
            [(1000.0, 3.0), (939.1491627785106, 2.9727345756813075), (90.0, 1.9542425094393248)]
        {
            assert_eq!(log10(x), expected, "{x}");
        }
        for (base, exponent, expected) in [
            (2.0, 10.0, 1024.0),
            (-2.0, 3.0, -8.0),
            (9.0, 0.5, 3.0),
            (2.1060533511106927, -2.184512237807944, 0.19650662903226176),
            (548.798761388153, 8.12163048262526, 1.77215261675267e22),
            (0.0, 2.0, 0.0),
            (10.0, 400.0, f64::INFINITY),
            (10.0, -400.0, 0.0),
        ] {
            assert_eq!(pow(base, exponent), expected, "{base} ^ {exponent}");
        }
    }
}
