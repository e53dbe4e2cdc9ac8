//! Random numbers, all of them drawn from the evaluation.

use rand_chacha::rand_core::Rng as _;

use crate::functions::call::{Answer, Call, Scalar, bounded, evaluated};

/// What SQLite calls. `random` and `randomblob` take the place of SQLite's own.
pub(crate) const SCALARS: &[Scalar] = &[
    evaluated("fl_random", 0, |call| Ok(unit(draw(call)).into())),
    evaluated("fl_uuid_random", 0, |call| Ok(uuid(bytes(call)).into())),
    evaluated("random", 0, |call| Ok((draw(call) as i64).into())),
    evaluated("randomblob", 1, blob),
];

fn draw(call: &Call<'_>) -> u64 {
    call.evaluation().with(|inner| inner.random.next_u64())
}

/// From 0 to below 1, with 53 bits.
fn unit(bits: u64) -> f64 {
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    (bits >> 11) as f64 * STEP
}

fn bytes(call: &Call<'_>) -> [u8; 16] {
    let mut bytes = [0; 16];
    call.evaluation().with(|inner| inner.random.fill_bytes(&mut bytes));
    bytes
}

/// Version 4 of RFC 9562.
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let digits = crate::functions::text::bytes::hex(&bytes);
    let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
    format!("{a}-{b}-{c}-{}-{}", &digits[16..20], &digits[20..])
}

fn blob(call: &Call<'_>) -> Answer {
    let length = bounded(usize::try_from(call.int(0)?).unwrap_or(1).max(1))?;
    let mut bytes = vec![0; length];
    call.evaluation().with(|inner| inner.random.fill_bytes(&mut bytes));
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use crate::base::Evaluation;
    use jiff::tz::TimeZone;
    use rusqlite::Connection;

    /// What a connection draws with a seed, again and again.
    fn drawn(seed: u64) -> Vec<String> {
        let connection = Connection::open_in_memory().unwrap();
        let evaluation = Evaluation::default();
        crate::functions::register(&connection, &evaluation).unwrap();
        evaluation.set(5, TimeZone::UTC, seed);
        ["fl_random()", "fl_uuid_random()", "random()", "randomblob(4)", "fl_now()", "fl_random()"]
            .map(|sql| crate::functions::testing::ask(&connection, sql))
            .to_vec()
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(drawn(7), drawn(7));
        let (one, other) = (drawn(7), drawn(8));
        assert_eq!(one[4], other[4]);
        for place in [0, 1, 2, 3, 5] {
            assert_ne!(one[place], other[place]);
        }
        assert_ne!(one[0], one[5]);
    }

    #[test]
    fn a_uuid_says_its_version() {
        let uuid = &drawn(1)[1];
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!("89ab".contains(&uuid[19..20]));
    }

    #[test]
    fn a_random_number_is_below_one() {
        assert_eq!(super::unit(u64::MAX), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(super::unit(0), 0.0);
    }
}
