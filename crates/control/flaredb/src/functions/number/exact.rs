//! Arithmetic of `numeric`.

use std::cmp::Ordering;

use crate::base::{SqlError, SqlState};
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call, Scalar, strict};
use crate::value::numeric::{self, Numeric};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_numeric_add", 2, |call| two(call, numeric::add)),
    strict("fl_numeric_sub", 2, |call| two(call, numeric::subtract)),
    strict("fl_numeric_mul", 2, |call| two(call, numeric::multiply)),
    strict("fl_numeric_div", 2, |call| two(call, numeric::divide)),
    strict("fl_numeric_div_whole", 2, |call| two(call, numeric::divide_whole)),
    strict("fl_numeric_mod", 2, |call| two(call, numeric::remainder)),
    strict("fl_numeric_neg", 1, |call| {
        numeric::subtract(&Numeric::Finite(0.into(), 0), &one(call, 0)?).map(kept)
    }),
    strict("fl_numeric_abs", 1, |call| {
        let value = one(call, 0)?;
        match value.sign() {
            Ordering::Less => numeric::subtract(&Numeric::Finite(0.into(), 0), &value).map(kept),
            _ => Ok(kept(value)),
        }
    }),
    strict("fl_numeric_round", 2, |call| numeric::round(&one(call, 0)?, call.int32(1)?).map(kept)),
    strict("fl_numeric_trunc", 2, |call| numeric::truncate(&one(call, 0)?, call.int32(1)?).map(kept)),
    strict("fl_numeric_ceil", 1, |call| toward(call, Ordering::Greater)),
    strict("fl_numeric_floor", 1, |call| toward(call, Ordering::Less)),
    strict("fl_numeric_sign", 1, |call| {
        let value = one(call, 0)?;
        if value == Numeric::NaN {
            return Ok(kept(value));
        }
        Ok(Value::Text(
            match value.sign() {
                Ordering::Less => "-1",
                Ordering::Equal => "0",
                Ordering::Greater => "1",
            }
            .to_owned(),
        ))
    }),
    strict("fl_numeric_scale", 1, |call| match one(call, 0)? {
        Numeric::Finite(_, scale) => Ok(Value::Integer(scale.into())),
        _ => Ok(Value::Null),
    }),
    strict("fl_numeric_min_scale", 1, |call| match least_scale(one(call, 0)?) {
        Numeric::Finite(_, scale) => Ok(Value::Integer(scale.into())),
        _ => Ok(Value::Null),
    }),
    strict("fl_numeric_trim_scale", 1, |call| Ok(kept(least_scale(one(call, 0)?)))),
    strict("fl_factorial", 1, |call| {
        let of = call.int(0)?;
        match u32::try_from(of) {
            Ok(of) if of <= 2000 => {
                let product = (2..=of).fold(num_bigint::BigInt::from(1), |product, factor| product * factor);
                Ok(kept(Numeric::Finite(product, 0)))
            }
            Ok(_) => Err(numeric::overflow()),
            Err(_) => {
                let message = "factorial of a negative number is undefined";
                Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message))
            }
        }
    }),
];

fn one(call: &Call<'_>, place: usize) -> Result<Numeric, SqlError> {
    Numeric::kept(call.text(place)?)
}

fn two(call: &Call<'_>, operate: fn(&Numeric, &Numeric) -> Result<Numeric, SqlError>) -> Answer {
    operate(&one(call, 0)?, &one(call, 1)?).map(kept)
}

fn kept(value: Numeric) -> Value {
    Value::Text(value.to_string())
}

/// The next whole number in a direction.
fn toward(call: &Call<'_>, direction: Ordering) -> Answer {
    let value = one(call, 0)?;
    let whole = numeric::truncate(&value, 0)?;
    if value.cmp(&whole) == direction {
        let step = Numeric::Finite(if direction == Ordering::Less { -1 } else { 1 }.into(), 0);
        return numeric::add(&whole, &step).map(kept);
    }
    Ok(kept(whole))
}

/// Without zeros at the end.
fn least_scale(value: Numeric) -> Numeric {
    let Numeric::Finite(mut digits, mut scale) = value else { return value };
    let ten = num_bigint::BigInt::from(10);
    while scale > 0 && (&digits % &ten) == num_bigint::BigInt::from(0) {
        digits /= &ten;
        scale -= 1;
    }
    Numeric::Finite(digits, scale)
}
