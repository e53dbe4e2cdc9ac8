//! The client's deadline, as gRPC sends it.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// For requests without a deadline. Replication gives up long before.
const FOREVER: Duration = Duration::from_secs(24 * 3600);

/// How long the client waits.
pub(super) fn of(metadata: &MetadataMap) -> Duration {
    metadata.get("grpc-timeout").and_then(|value| parse(value.to_str().ok()?)).unwrap_or(FOREVER)
}

/// gRPC over HTTP/2, "Timeout": up to eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
    .map(|patience| patience.min(FOREVER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse("4999999u"), Some(Duration::from_micros(4_999_999)));
        assert_eq!(parse("99999999H"), Some(FOREVER));
        for bad in ["", "S", "5", "5s", "-5S", "123456789S", "5µ"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
