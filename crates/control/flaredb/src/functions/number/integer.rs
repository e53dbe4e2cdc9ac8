//! Integers: SQLite's are of 64 bits and become floating point when they leave them; PostgreSQL's refuse.

use crate::base::error::{SqlError, SqlState};

use crate::functions::call::{Answer, Call, Scalar, out_of_range, pure, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_int2", 1, |call| narrow(call, i64::from(i16::MIN), i64::from(i16::MAX), "smallint")),
    strict("fl_int4", 1, |call| narrow(call, i64::from(i32::MIN), i64::from(i32::MAX), "integer")),
    strict("fl_oid", 1, |call| narrow(call, 0, i64::from(u32::MAX), "OID")),
    strict("fl_int8_add", 2, |call| checked(call, i64::checked_add)),
    strict("fl_int8_sub", 2, |call| checked(call, i64::checked_sub)),
    strict("fl_int8_mul", 2, |call| checked(call, i64::checked_mul)),
    strict("fl_int_div", 2, divide),
    strict("fl_int_mod", 2, remainder),
    strict("fl_int_xor", 2, |call| Ok((call.int(0)? ^ call.int(1)?).into())),
    strict("fl_int_abs", 1, |call| {
        Ok(call.int(0)?.checked_abs().ok_or_else(|| out_of_range("bigint"))?.into())
    }),
    strict("fl_gcd", 2, gcd),
    strict("fl_lcm", 2, lcm),
    pure("fl_num_nulls", -1, |call| count_nulls(call, true)),
    pure("fl_num_nonnulls", -1, |call| count_nulls(call, false)),
    strict("fl_int2_shl", 2, |call| shift(call, |value, by| i64::from((value << (by & 31)) as i16))),
    strict("fl_int4_shl", 2, |call| shift(call, |value, by| i64::from((value << (by & 31)) as i32))),
    strict("fl_int8_shl", 2, |call| shift(call, |value, by| value << (by & 63))),
    strict("fl_int4_shr", 2, |call| shift(call, |value, by| value >> (by & 31))),
    strict("fl_int8_shr", 2, |call| shift(call, |value, by| value >> (by & 63))),
];

fn narrow(call: &Call<'_>, from: i64, to: i64, name: &str) -> Answer {
    let value = call.int(0)?;
    if (from..=to).contains(&value) { Ok(value.into()) } else { Err(out_of_range(name)) }
}

fn checked(call: &Call<'_>, compute: fn(i64, i64) -> Option<i64>) -> Answer {
    Ok(compute(call.int(0)?, call.int(1)?).ok_or_else(|| out_of_range("bigint"))?.into())
}

fn divide(call: &Call<'_>) -> Answer {
    let (left, right) = (call.int(0)?, call.int(1)?);
    if right == 0 {
        return Err(division_by_zero());
    }
    Ok(left.checked_div(right).ok_or_else(|| out_of_range("bigint"))?.into())
}

fn remainder(call: &Call<'_>) -> Answer {
    let (left, right) = (call.int(0)?, call.int(1)?);
    if right == 0 {
        return Err(division_by_zero());
    }
    // The smallest number divided by -1 leaves nothing, though the quotient is out of range.
    Ok(left.wrapping_rem(right).into())
}

/// Counts of bits wrap as they do in the machine's own instructions.
fn shift(call: &Call<'_>, compute: fn(i64, i64) -> i64) -> Answer {
    Ok(compute(call.int(0)?, call.int(1)?).into())
}

/// PostgreSQL's word for it.
pub(crate) fn division_by_zero() -> SqlError {
    SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// The greatest common divisor; of zeros, zero.
fn gcd(call: &Call<'_>) -> Answer {
    let (mut a, mut b) = (call.int(0)?.unsigned_abs(), call.int(1)?.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Ok(i64::try_from(a).map_err(|_| out_of_range("bigint"))?.into())
}

/// The least common multiple; with a zero, zero.
fn lcm(call: &Call<'_>) -> Answer {
    let (left, right) = (call.int(0)?.unsigned_abs(), call.int(1)?.unsigned_abs());
    let (mut a, mut b) = (left, right);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let multiple = left.checked_div(a).map_or(Some(0), |part| part.checked_mul(right));
    let multiple = multiple.and_then(|multiple| i64::try_from(multiple).ok());
    Ok(multiple.ok_or_else(|| out_of_range("bigint"))?.into())
}

fn count_nulls(call: &Call<'_>, null: bool) -> Answer {
    let count = (0..call.count()).filter(|place| call.is_null(*place) == null).count();
    Ok(i64::try_from(count).unwrap_or(i64::MAX).into())
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn what_leaves_the_range_is_refused() {
        check(&[
            ("fl_int2(32767)", "32767"),
            ("fl_int2(32768)", "22003: smallint out of range"),
            ("fl_int4(-2147483649)", "22003: integer out of range"),
            ("fl_oid(4294967296)", "22003: OID out of range"),
            ("fl_int8_add(9223372036854775807, 1)", "22003: bigint out of range"),
            ("fl_int8_sub(0, -9223372036854775808)", "22003: bigint out of range"),
            ("fl_int_div(-7, 2)", "-3"),
            ("fl_int_div(1, 0)", "22012: division by zero"),
            ("fl_int_div(-9223372036854775808, -1)", "22003: bigint out of range"),
            ("fl_int_mod(-7, 2)", "-1"),
            ("fl_int_mod(-9223372036854775808, -1)", "0"),
            ("fl_int2_shl(1, 15)", "-32768"),
            ("fl_int4_shl(1, 33)", "2"),
            ("fl_int8_shr(-8, 1)", "-4"),
            ("fl_gcd(-12, 18)", "6"),
            ("fl_gcd(-9223372036854775808, 0)", "22003: bigint out of range"),
            ("fl_lcm(4, 6)", "12"),
            ("fl_num_nulls(1, NULL, 'x')", "1"),
            ("fl_num_nonnulls(1, NULL, 'x')", "2"),
        ]);
    }
}
