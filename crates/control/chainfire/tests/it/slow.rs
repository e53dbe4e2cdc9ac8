//! Slow requests are counted, by method; what waits for others is not.

use std::time::Duration;

use crate::http::get;
use crate::world::World;

/// With every request slow, the member counts those that are looked at.
#[tokio::test]
async fn slow_requests_are_counted_by_method() {
    let world = World::with(|config| config.limits.slow_request = Duration::from_nanos(1)).await;
    let mut client = world.client().await;
    client.put("k", "v", None).await.unwrap();
    client.get("k", None).await.unwrap();
    client.get("k", None).await.unwrap();
    client.lock("l", None).await.unwrap();
    let figures = get(&world, "/metrics").await;
    assert!(figures.contains("\nchainfire_slow_requests_total{method=\"Put\"} 1\n"), "{figures}");
    assert!(figures.contains("\nchainfire_slow_requests_total{method=\"Range\"} 2\n"), "{figures}");
    assert!(!figures.contains("chainfire_slow_requests_total{method=\"Lock\"}"), "{figures}");
}

#[tokio::test]
async fn none_is_slow_where_no_limit_is_set() {
    let world = World::with(|config| config.limits.slow_request = Duration::ZERO).await;
    world.client().await.put("k", "v", None).await.unwrap();
    assert!(!get(&world, "/metrics").await.contains("chainfire_slow_requests_total{"));
}
