//! Several values as one text, for what SQLite can do with one value only: DISTINCT in an aggregate.

use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};

use crate::functions::call::{Answer, Call, Scalar, bounded, internal, pure, text};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[pure("fl_pack", -1, pack)];

/// Each value as a letter for its kind, its length in bytes, a colon, and itself.
fn pack(call: &Call<'_>) -> Answer {
    let mut packed = String::new();
    for place in 0..call.count() {
        let (kind, body) = match call.value(place) {
            ValueRef::Null => ('n', String::new()),
            ValueRef::Integer(value) => ('i', value.to_string()),
            ValueRef::Real(value) => ('r', value.to_bits().to_string()),
            ValueRef::Blob(bytes) => ('b', crate::functions::text::bytes::hex(bytes)),
            other => ('t', text(other)?.to_owned()),
        };
        bounded(packed.len() + body.len())?;
        packed.push_str(&format!("{kind}{}:{body}", body.len()));
    }
    Ok(packed.into())
}

/// The values again.
pub(crate) fn unpacked(packed: &str) -> Result<Vec<Value>, SqlError> {
    let mut values = Vec::new();
    let mut rest = packed;
    while !rest.is_empty() {
        let (value, behind) = first(rest).ok_or_else(|| internal("packed values are damaged"))?;
        values.push(value);
        rest = behind;
    }
    Ok(values)
}

fn first(packed: &str) -> Option<(Value, &str)> {
    let (head, behind) = packed.split_once(':')?;
    let length: usize = head.get(1..)?.parse().ok()?;
    let (body, behind) = (behind.get(..length)?, behind.get(length..)?);
    let value = match head.as_bytes().first()? {
        b'n' => Value::Null,
        b'i' => Value::Integer(body.parse().ok()?),
        b'r' => Value::Real(f64::from_bits(body.parse().ok()?)),
        b'b' => Value::Blob(unhex(body)?),
        _ => Value::Text(body.to_owned()),
    };
    Some((value, behind))
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_there_again() {
        let connection = crate::functions::testing::connection();
        let sql = "SELECT fl_pack(NULL, -7, 1.5, 'a:1é', x'00ff')";
        let packed: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
        let expected = [
            Value::Null,
            Value::Integer(-7),
            Value::Real(1.5),
            Value::Text("a:1é".to_owned()),
            Value::Blob(vec![0, 255]),
        ];
        assert_eq!(unpacked(&packed).unwrap(), expected);
        assert!(unpacked("i5:12").is_err());
        assert!(unpacked("t2:éx").is_err());
    }
}
