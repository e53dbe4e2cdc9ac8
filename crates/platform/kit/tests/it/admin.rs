//! The admin port.

use kit::admin::{AdminConfig, AdminServer};
use kit::health::Health;
use kit::server::ServerMetrics;
use kit::telemetry::ProcessCollector;
use kit::tls::AllowList;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::support::{World, get, plain, stranger};

async fn admin(world: &World, health: &Health, secure: bool) -> std::net::SocketAddr {
    let config = AdminConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        allow: AllowList::new(["operator/*"]).unwrap(),
    };
    let server = AdminServer {
        health: health.clone(),
        metrics: world.metrics.clone(),
        counters: ServerMetrics::register(&world.metrics).unwrap(),
    };
    let identity = world.identity("node/node01/chainfire");
    server.start(&world.context, &config, secure.then_some(&identity)).await.unwrap()
}

#[tokio::test]
async fn health_answers_as_supervisors_and_people_expect() {
    let world = World::new();
    let health = Health::new(&world.context);
    let address = admin(&world, &health, false).await;
    let ask = async |path: &str| get(plain(address).await, path, "").await.unwrap();
    let (quorum, store) = (health.check("quorum"), health.live("store"));

    let answer = ask("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("[-]quorum failed since "), "{answer}");
    assert!(ask("/livez").await.ends_with("\r\n\r\nok\n"));
    quorum.fail("no leader for 3s; 1 of 3 members answer");
    let answer = ask("/health").await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("content-type: application/json"),
        "{answer}"
    );
    assert!(answer.contains(r#"{"status":"fail","checks":[{"name":"quorum","status":"fail","reason":"no leader for 3s; 1 of 3 members answer","since":"#), "{answer}");

    quorum.ok();
    assert!(ask("/readyz").await.ends_with("\r\n\r\nok\n"));
    assert!(ask("/readyz?verbose").await.ends_with("[+]quorum ok\n[+]store ok\npassed\n"));
    assert!(ask("/health").await.starts_with("HTTP/1.1 200"));
    store.fail("stuck");
    assert!(ask("/livez").await.starts_with("HTTP/1.1 503"));
    assert!(ask("/").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn metrics_come_in_the_form_that_was_asked_for() {
    let world = World::new();
    world.metrics.collect(ProcessCollector);
    world.metrics.collect(world.identity("node/node01/chainfire"));
    let sub = world.metrics.sub("chainfire").sub("store");
    sub.counter("puts", "Keys that were put.").unwrap().inc_by(3);
    let sizes = Family::<Vec<(String, String)>, Gauge>::default();
    sub.register("size_bytes", "Size on disk", sizes.clone()).unwrap();
    sizes.get_or_create(&vec![("db".into(), "a\"b".into())]).set(7);
    sub.seconds("commit_seconds", "Time of a commit").unwrap().observe(0.001);
    assert_eq!(
        sub.counter("puts", "again").unwrap_err().to_string(),
        "the metric chainfire_store_puts is registered already"
    );
    let address = admin(&world, &Health::new(&world.context), false).await;

    let plain_text = get(plain(address).await, "/metrics", "").await.unwrap();
    assert!(plain_text.contains("content-type: text/plain; version=0.0.4"), "{plain_text}");
    assert!(
        plain_text.contains(
            "# HELP chainfire_store_puts_total Keys that were put.\n# TYPE chainfire_store_puts_total counter\nchainfire_store_puts_total 3\n"
        ),
        "{plain_text}"
    );
    assert!(plain_text.contains("chainfire_store_size_bytes{db=\"a\\\"b\"} 7\n"), "{plain_text}");
    assert!(plain_text.contains("chainfire_store_commit_seconds_bucket{le=\"+Inf\"} 1\n"), "{plain_text}");
    assert!(!plain_text.contains("# EOF") && !plain_text.contains("# UNIT"), "{plain_text}");
    for name in [
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_start_time_seconds",
        "tls_certificate_expiry_seconds",
    ] {
        assert!(
            plain_text.lines().any(|line| line.starts_with(&format!("{name} "))),
            "{name} is missing: {plain_text}"
        );
    }
    assert!(plain_text.contains("server_connections_accepted_total{server=\"admin\"} 1\n"), "{plain_text}");

    let open =
        get(plain(address).await, "/metrics", "accept: application/openmetrics-text; version=1.0.0\r\n")
            .await
            .unwrap();
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open}");
    assert!(open.contains("# TYPE chainfire_store_puts counter\n") && open.ends_with("# EOF\n"), "{open}");
}

#[tokio::test]
async fn the_admin_port_is_not_for_everybody() {
    let world = World::new();
    let address = admin(&world, &Health::new(&world.context), true).await;
    let operator = world.ca.issue(&world.ca.leaf("operator/admin"));
    let node = world.ca.issue(&world.ca.leaf("node/node01/chainfire"));
    assert!(stranger(address, Some(&operator)).await.unwrap().contains("404"));
    assert!(stranger(address, Some(&node)).await.is_err());
}
