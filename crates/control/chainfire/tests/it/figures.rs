//! What a scraper gets, parsed as a scraper parses it.

use std::collections::{BTreeMap, BTreeSet};

use etcd_client::{Compare, CompareOp, Txn, TxnOp, WatchOptions};
use tonic::Code;

use crate::http::get;
use crate::world::{World, eventually, refusal};

/// Prometheus' text format: values by name and labels, and the types of the names.
struct Scrape {
    values: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    async fn of(world: &World) -> Self {
        let answer = get(world, "/metrics").await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        let mut this = Self { values: BTreeMap::new(), types: BTreeMap::new() };
        for line in body.lines() {
            this.take(line);
        }
        this
    }

    fn take(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(self.types.insert(name.into(), kind.into()).is_none(), "{name} is declared twice");
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            let name = series.split('{').next().unwrap();
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':');
            assert!(plain && !name.is_empty(), "{line:?}");
            assert!(series.ends_with('}') || !series.contains('{'), "{line:?}");
            let value = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
            assert!(self.values.insert(series.into(), value).is_none(), "{series} is there twice");
        }
    }

    fn of_name(&self, series: &str) -> f64 {
        *self.values.get(series).unwrap_or_else(|| panic!("{series} is missing"))
    }

    fn sum(&self, prefix: &str) -> f64 {
        self.values.iter().filter(|(series, _)| series.starts_with(prefix)).map(|(_, value)| value).sum()
    }
}

#[tokio::test]
async fn etcds_names_mean_what_they_mean_in_etcd() {
    let world = World::new().await;
    let mut client = world.client().await;
    let mut watch = client.watch("w", Some(WatchOptions::new().with_prefix())).await.unwrap();
    for n in 0..10 {
        client.put(format!("w{n}"), "value", None).await.unwrap();
    }
    client.put("w0", "again", None).await.unwrap();
    client.delete("w9", None).await.unwrap();
    client.get("w0", None).await.unwrap();
    let both = [TxnOp::put("t1", "", None), TxnOp::put("t2", "", None)];
    client.txn(Txn::new().when([Compare::version("t1", CompareOp::Equal, 0)]).and_then(both)).await.unwrap();
    assert_eq!(refusal(client.get("", None).await).0, Code::InvalidArgument);
    client.compact(5, None).await.unwrap();
    world.node.store().flush().unwrap();
    let mut heard = 0;
    while heard < 12 {
        heard += watch.message().await.unwrap().unwrap().events().len();
    }
    let seen = Scrape::of(&world).await;
    let head = world.node.store().view().head() as f64;
    let id = world.node.group().id();
    for (series, value) in [
        ("etcd_server_has_leader", 1.0),
        ("etcd_server_is_leader", 1.0),
        ("etcd_server_is_learner", 0.0),
        ("etcd_server_leader_changes_seen_total", 1.0),
        ("etcd_server_proposals_pending", 0.0),
        ("etcd_server_proposals_failed_total", 0.0),
        ("etcd_server_read_indexes_failed_total", 0.0),
        ("etcd_server_version{server_version=\"3.5.16\"}", 1.0),
        ("etcd_cluster_version{cluster_version=\"3.5\"}", 1.0),
        (&format!("etcd_server_id{{server_id=\"{id:x}\"}}"), 1.0),
        ("etcd_debugging_mvcc_current_revision", head),
        ("etcd_debugging_mvcc_compact_revision", 5.0),
        ("etcd_debugging_mvcc_keys_total", 11.0),
        ("etcd_mvcc_put_total", 13.0),
        ("etcd_mvcc_delete_total", 1.0),
        ("etcd_mvcc_txn_total", 1.0),
        ("etcd_mvcc_range_total", 1.0),
        ("etcd_debugging_mvcc_put_total", 13.0),
        ("etcd_debugging_mvcc_watch_stream_total", 1.0),
        ("etcd_debugging_mvcc_watcher_total", 1.0),
        ("etcd_debugging_mvcc_slow_watcher_total", 0.0),
        ("etcd_debugging_mvcc_pending_events_total", 0.0),
        ("etcd_debugging_mvcc_events_total", 12.0),
        ("chainfire_watchers_lagging{more_than=\"0\"}", 0.0),
        (
            "grpc_server_started_total{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}",
            11.0,
        ),
        (
            "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",\
             grpc_type=\"unary\"}",
            11.0,
        ),
        (
            "grpc_server_handled_total{grpc_code=\"InvalidArgument\",grpc_method=\"Range\",\
             grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"}",
            1.0,
        ),
        (
            "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Watch\",\
             grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\"}",
            0.0,
        ),
    ] {
        assert_eq!(seen.of_name(series), value, "{series}");
    }
    for positive in [
        "etcd_server_proposals_committed_total",
        "etcd_server_proposals_applied_total",
        "etcd_disk_wal_fsync_duration_seconds_count",
        "etcd_disk_wal_fsync_duration_seconds_sum",
        "etcd_disk_wal_write_bytes_total",
        "etcd_disk_backend_commit_duration_seconds_count",
        "etcd_mvcc_db_total_size_in_bytes",
        "etcd_mvcc_db_total_size_in_use_in_bytes",
        "etcd_debugging_mvcc_total_put_size_in_bytes",
        "etcd_network_client_grpc_received_bytes_total",
        "etcd_network_client_grpc_sent_bytes_total",
    ] {
        assert!(seen.of_name(positive) > 0.0, "{positive}");
    }
    // As etcd declares them, whatever they are called.
    for (name, kind) in [
        ("etcd_server_proposals_committed_total", "gauge"),
        ("etcd_server_proposals_failed_total", "counter"),
        ("etcd_server_leader_changes_seen_total", "counter"),
        ("etcd_disk_wal_fsync_duration_seconds", "histogram"),
        ("etcd_disk_backend_commit_duration_seconds", "histogram"),
        ("etcd_debugging_mvcc_keys_total", "gauge"),
        ("etcd_mvcc_put_total", "counter"),
        ("grpc_server_handled_total", "counter"),
    ] {
        assert_eq!(seen.types.get(name).map(String::as_str), Some(kind), "{name}");
    }
    let inf = "etcd_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"}";
    assert_eq!(seen.of_name(inf), seen.of_name("etcd_disk_wal_fsync_duration_seconds_count"));
    drop(watch);
    let cancelled = "grpc_server_handled_total{grpc_code=\"Canceled\",grpc_method=\"Watch\"";
    let ended =
        |seen: &Scrape| seen.sum("grpc_server_handled_total") == seen.sum("grpc_server_started_total");
    eventually("the stream is counted as ended", async || {
        let seen = Scrape::of(&world).await;
        let watchers = seen.of_name("etcd_debugging_mvcc_watcher_total");
        ended(&seen) && watchers == 0.0 && seen.sum(cancelled) <= 1.0
    })
    .await;
}

#[tokio::test]
async fn checks_of_health_are_counted() {
    let world = World::new().await;
    for path in ["/health", "/readyz", "/readyz/non_learner", "/livez"] {
        get(&world, path).await;
    }
    let seen = Scrape::of(&world).await;
    assert_eq!(seen.of_name("etcd_server_health_success"), 1.0);
    assert_eq!(seen.of_name("etcd_server_healthcheck{type=\"livez\",name=\"serializable_read\"}"), 1.0);
    let twice = "etcd_server_healthchecks_total{type=\"readyz\",name=\"non_learner\",status=\"success\"}";
    assert_eq!(seen.of_name(twice), 2.0);
}

#[tokio::test]
async fn unknown_methods_make_no_series() {
    let world = World::new().await;
    let names: BTreeSet<String> = Scrape::of(&world).await.values.into_keys().collect();
    for n in 0..100 {
        get(&world, &format!("/etcdserverpb.KV/Unknown{n}")).await;
    }
    let more: Vec<String> =
        Scrape::of(&world).await.values.into_keys().filter(|name| !names.contains(name)).collect();
    assert!(more.is_empty(), "{more:?}");
}
