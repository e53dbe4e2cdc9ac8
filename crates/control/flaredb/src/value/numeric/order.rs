//! The order of numeric values as they are kept, by their texts alone.

use std::cmp::Ordering;

/// By value: minus infinity, numbers, infinity, NaN.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left_rank, right_rank) = (rank(left), rank(right));
    if left_rank != right_rank || left_rank != 0 {
        return left_rank.cmp(&right_rank);
    }
    match (negative(left), negative(right)) {
        (None, None) => magnitude(left, right),
        (Some(left), Some(right)) => magnitude(right, left),
        (Some(left), None) if is_zero(left) && is_zero(right) => Ordering::Equal,
        (None, Some(right)) if is_zero(left) && is_zero(right) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
    }
}

fn negative(text: &str) -> Option<&str> {
    text.strip_prefix('-')
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

fn rank(text: &str) -> i8 {
    match text {
        "-Infinity" => -1,
        "Infinity" => 1,
        "NaN" => 2,
        _ => 0,
    }
}

/// Without signs. Longer before the point is larger: nothing kept begins with a zero that is not alone there.
fn magnitude(left: &str, right: &str) -> Ordering {
    let (left_whole, left_fraction) = left.split_once('.').unwrap_or((left, ""));
    let (right_whole, right_fraction) = right.split_once('.').unwrap_or((right, ""));
    let by_whole = left_whole.len().cmp(&right_whole.len()).then_with(|| left_whole.cmp(right_whole));
    by_whole.then_with(|| left_fraction.trim_end_matches('0').cmp(right_fraction.trim_end_matches('0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_in_the_order_of_their_values() {
        let ascending = [
            "-Infinity",
            "-10",
            "-9.5",
            "-9.05",
            "-0.001",
            "0",
            "0.001",
            "0.01",
            "9",
            "9.1",
            "10",
            "Infinity",
            "NaN",
        ];
        for (place, left) in ascending.iter().enumerate() {
            for (other, right) in ascending.iter().enumerate() {
                assert_eq!(compare(left, right), place.cmp(&other), "{left} {right}");
            }
        }
        assert_eq!(compare("1.0", "1.00"), Ordering::Equal);
        assert_eq!(compare("0", "0.00"), Ordering::Equal);
    }
}
