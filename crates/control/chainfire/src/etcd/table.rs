//! The flags of etcd 3.5, and what becomes of each here. Pure data.

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Switch,
    Number,
    Duration,
}

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It means here what it means in etcd.
    Taken,
    /// It tunes what is not here: taken, and said so.
    Moot,
    /// Only these values can be had; another one is refused with the reason.
    Only(&'static [&'static str], &'static str),
}

use self::Kind::{Duration as Time, Number, Switch, Text};
use self::Use::{Moot, Only, Taken};

pub(super) type Row = (&'static str, Kind, &'static str, Use);

/// Name, kind, default, use; by the headings of `etcd --help`.
pub(super) const FLAGS: &[(&str, &[Row])] = &[
    (
        "Member",
        &[
            ("name", Text, "default", Taken),
            ("data-dir", Text, "", Taken),
            ("wal-dir", Text, "", Taken),
            ("snapshot-count", Number, "100000", Taken),
            ("heartbeat-interval", Number, "100", Taken),
            ("election-timeout", Number, "1000", Taken),
            ("initial-election-tick-advance", Switch, "true", Moot),
            ("listen-peer-urls", Text, "http://localhost:2380", Taken),
            ("listen-client-urls", Text, "http://localhost:2379", Taken),
            ("max-snapshots", Number, "5", Moot),
            ("max-wals", Number, "5", Moot),
            ("quota-backend-bytes", Number, "0", Taken),
            ("backend-bbolt-freelist-type", Text, "map", Moot),
            ("backend-batch-interval", Time, "0s", Moot),
            ("backend-batch-limit", Number, "0", Moot),
            ("max-txn-ops", Number, "128", Taken),
            ("max-request-bytes", Number, "1572864", Taken),
            ("max-concurrent-streams", Number, "4294967295", Taken),
            ("grpc-keepalive-min-time", Time, "5s", Moot),
            ("grpc-keepalive-interval", Time, "2h0m0s", Taken),
            ("grpc-keepalive-timeout", Time, "20s", Taken),
            ("socket-reuse-port", Switch, "false", Moot),
            ("socket-reuse-address", Switch, "false", Moot),
            ("raft-read-timeout", Time, "5s", Moot),
            ("raft-write-timeout", Time, "5s", Moot),
        ],
    ),
    (
        "Clustering",
        &[
            ("initial-advertise-peer-urls", Text, "http://localhost:2380", Taken),
            ("initial-cluster", Text, "", Taken),
            ("initial-cluster-state", Text, "new", Taken),
            ("initial-cluster-token", Text, "etcd-cluster", Taken),
            ("advertise-client-urls", Text, "http://localhost:2379", Taken),
            ("discovery", Text, "", Only(&[""], DISCOVERY)),
            ("discovery-fallback", Text, "proxy", Moot),
            ("discovery-proxy", Text, "", Moot),
            ("discovery-srv", Text, "", Only(&[""], DISCOVERY)),
            ("discovery-srv-name", Text, "", Moot),
            (
                "strict-reconfig-check",
                Switch,
                "true",
                Only(&["true"], "a change that would cost the quorum is never made"),
            ),
            ("pre-vote", Switch, "true", Only(&["true"], "elections always begin with a pre-vote")),
            ("auto-compaction-retention", Text, "0", Taken),
            ("auto-compaction-mode", Text, "periodic", Taken),
            ("enable-v2", Switch, "false", Only(&["false"], "the v2 API is not served")),
            ("v2-deprecation", Text, "not-yet", Moot),
        ],
    ),
    (
        "Security",
        &[
            ("cert-file", Text, "", Taken),
            ("key-file", Text, "", Taken),
            ("client-cert-file", Text, "", Moot),
            ("client-key-file", Text, "", Moot),
            ("client-cert-auth", Switch, "false", Taken),
            ("client-crl-file", Text, "", Only(&[""], CRL)),
            ("client-cert-allowed-hostname", Text, "", Taken),
            ("trusted-ca-file", Text, "", Taken),
            ("auto-tls", Switch, "false", Only(&["false"], SELF_SIGNED)),
            ("peer-cert-file", Text, "", Taken),
            ("peer-key-file", Text, "", Taken),
            ("peer-client-cert-file", Text, "", Taken),
            ("peer-client-key-file", Text, "", Taken),
            ("peer-client-cert-auth", Switch, "false", Taken),
            ("peer-trusted-ca-file", Text, "", Taken),
            ("peer-cert-allowed-cn", Text, "", Taken),
            ("peer-cert-allowed-hostname", Text, "", Taken),
            ("peer-auto-tls", Switch, "false", Only(&["false"], SELF_SIGNED)),
            ("self-signed-cert-validity", Number, "1", Moot),
            ("peer-crl-file", Text, "", Only(&[""], CRL)),
            ("cipher-suites", Text, "", Taken),
            ("tls-min-version", Text, "TLS1.2", Taken),
            ("tls-max-version", Text, "", Only(&["", "TLS1.3"], "TLS 1.3 cannot be switched off")),
            ("cors", Text, "*", Moot),
            ("host-whitelist", Text, "*", Only(&["", "*"], "the names that clients use are not looked at")),
        ],
    ),
    (
        "Auth",
        &[
            ("auth-token", Text, "simple", Taken),
            ("bcrypt-cost", Number, "10", Taken),
            ("auth-token-ttl", Number, "300", Taken),
        ],
    ),
    (
        "Profiling and Monitoring",
        &[
            ("enable-pprof", Switch, "false", Moot),
            ("metrics", Text, "basic", Moot),
            ("listen-metrics-urls", Text, "", Taken),
        ],
    ),
    (
        "Logging",
        &[
            ("logger", Text, "zap", Only(&["zap"], "etcd 3.5 has no other either")),
            ("log-outputs", Text, "default", Taken),
            ("log-level", Text, "info", Taken),
            (
                "enable-log-rotation",
                Switch,
                "false",
                Only(&["false"], "rotate the file from outside (logrotate, copytruncate)"),
            ),
            ("log-rotation-config-json", Text, "", Moot),
        ],
    ),
    (
        "Proxy",
        &[
            ("proxy", Text, "off", Only(&["off"], "the v2 proxy is not served")),
            ("proxy-failure-wait", Number, "5000", Moot),
            ("proxy-refresh-interval", Number, "30000", Moot),
            ("proxy-dial-timeout", Number, "1000", Moot),
            ("proxy-write-timeout", Number, "5000", Moot),
            ("proxy-read-timeout", Number, "0", Moot),
        ],
    ),
    (
        "Experimental",
        &[
            ("experimental-initial-corrupt-check", Switch, "false", Moot),
            ("experimental-compact-hash-check-enabled", Switch, "false", Moot),
            ("experimental-compact-hash-check-time", Time, "1m0s", Moot),
            ("experimental-corrupt-check-time", Time, "0s", Taken),
            ("experimental-enable-v2v3", Text, "", Only(&[""], "the v2 API is not served")),
            ("experimental-enable-lease-checkpoint", Switch, "false", Moot),
            ("experimental-enable-lease-checkpoint-persist", Switch, "false", Moot),
            ("experimental-compaction-batch-limit", Number, "1000", Moot),
            ("experimental-compaction-sleep-interval", Time, "0s", Moot),
            ("experimental-peer-skip-client-san-verification", Switch, "false", Moot),
            ("experimental-watch-progress-notify-interval", Time, "10m0s", Taken),
            ("experimental-warning-apply-duration", Time, "100ms", Moot),
            ("experimental-warning-unary-request-duration", Time, "300ms", Taken),
            ("experimental-txn-mode-write-with-shared-buffer", Switch, "true", Moot),
            ("experimental-bootstrap-defrag-threshold-megabytes", Number, "0", Moot),
            ("experimental-max-learners", Number, "1", Moot),
            ("experimental-wait-cluster-ready-timeout", Time, "5s", Moot),
            ("experimental-memory-mlock", Switch, "false", Moot),
            ("experimental-snapshot-catchup-entries", Number, "5000", Taken),
            ("experimental-stop-grpc-service-on-defrag", Switch, "false", Moot),
            (
                "experimental-enable-distributed-tracing",
                Switch,
                "false",
                Only(&["false"], "spans are not exported"),
            ),
            ("experimental-distributed-tracing-address", Text, "localhost:4317", Moot),
            ("experimental-distributed-tracing-service-name", Text, "etcd", Moot),
            ("experimental-distributed-tracing-instance-id", Text, "", Moot),
            ("experimental-distributed-tracing-sampling-rate", Number, "0", Moot),
        ],
    ),
    (
        "Unsafe",
        &[
            (
                "force-new-cluster",
                Switch,
                "false",
                Only(
                    &["false"],
                    "a lost quorum is recovered by a command of its own: ultracloud chainfire recover-quorum",
                ),
            ),
            ("unsafe-no-fsync", Switch, "false", Only(&["false"], "what is acknowledged is on disk")),
        ],
    ),
    (
        "Other",
        &[
            ("config-file", Text, "", Only(&[""], "give flags or ETCD_ variables instead")),
            ("version", Switch, "false", Taken),
            ("help", Switch, "false", Taken),
            ("h", Switch, "false", Taken),
        ],
    ),
];

const DISCOVERY: &str = "name the members with --initial-cluster";
const SELF_SIGNED: &str = "certificates are made by whoever deploys, not at each start";
const CRL: &str = "revocation lists are not read; use short certificates and a CA of your own";

pub(super) fn row(name: &str) -> Option<&'static Row> {
    FLAGS.iter().flat_map(|(_, rows)| rows.iter()).find(|row| row.0 == name)
}
