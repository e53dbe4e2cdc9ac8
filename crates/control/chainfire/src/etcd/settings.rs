//! What etcd's flags come to: a configuration and doors. Refusals are etcd's, word for word where it has some.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kit::admin::AdminConfig;
use kit::telemetry::{LogConfig, LogFormat, LogOutput};
use kit::tls::{AllowList, ForeignConfig};

use super::flags::{Flags, go_duration};
use super::urls::{self, Url};
use crate::config::{
    AuthConfig, AutoCompaction, ClientConfig, Config, InitialMember, Limits, PeerConfig, RaftConfig,
    StoreConfig,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Everything that a member is started from.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) clients: Vec<Url>,
    pub(super) peers: Vec<Url>,
    pub(super) metrics: Vec<Url>,
    pub(super) client_tls: Option<ForeignConfig>,
    pub(super) peer_tls: Option<ForeignConfig>,
    /// Whether the other members are reached over TLS.
    pub(super) dials_tls: bool,
}

impl Settings {
    /// `known`: the data directory has a member already, and what only its founding needs is not looked at.
    pub(super) fn of(flags: &Flags, known: impl Fn(&Path) -> bool) -> Result<Self, String> {
        if flags.said("listen-client-urls") && !flags.said("advertise-client-urls") {
            return Err(
                "--advertise-client-urls is required when --listen-client-urls is set explicitly".to_owned()
            );
        }
        let data_dir = data_dir(flags);
        let known = known(&data_dir);
        let clients = urls::list(flags.text("listen-client-urls"))?;
        let peers = urls::list(flags.text("listen-peer-urls"))?;
        let metrics = flags.some("listen-metrics-urls").map(urls::list).transpose()?.unwrap_or_default();
        let advertised = urls::list(flags.text("advertise-client-urls"))?;
        let (own, members, dials_tls) = members(flags, known)?;
        let client_tls = client_tls(flags, &clients, &metrics)?;
        let peer_tls = peer_tls(flags, &peers, dials_tls)?;
        let bound = |urls: &[Url]| urls[0].to_bind();
        let nobody = AllowList::default();
        let client = ClientConfig {
            listen: bound(&clients)?,
            advertise: advertised.iter().map(ToString::to_string).collect(),
            allow: nobody.clone(),
            limits: server_limits(flags)?,
        };
        let config = Config {
            name: flags.text("name").to_owned(),
            data_dir,
            cluster_token: flags.text("initial-cluster-token").to_owned(),
            join: is_joining(flags)?,
            initial_members: members,
            client,
            peer: PeerConfig { listen: bound(&peers)?, advertise: own, allow: nobody.clone() },
            admin: AdminConfig { listen: ([127, 0, 0, 1], 0).into(), allow: nobody },
            tls: None,
            raft: raft(flags)?,
            limits: limits(flags)?,
            store: store(flags)?,
            auth: auth(flags)?,
            log: log(flags)?,
            any_cluster: true,
        };
        match config.bounds().as_slice() {
            [] => Ok(Self { config, clients, peers, metrics, client_tls, peer_tls, dials_tls }),
            problems => Err(problems.join("; ")),
        }
    }
}

fn data_dir(flags: &Flags) -> PathBuf {
    let named = || format!("{}.etcd", flags.text("name"));
    flags.some("data-dir").map_or_else(|| named().into(), PathBuf::from)
}

fn is_joining(flags: &Flags) -> Result<bool, String> {
    match flags.text("initial-cluster-state") {
        "new" => Ok(false),
        "existing" => Ok(true),
        other => Err(format!("invalid value {other:?} for --initial-cluster-state: write new or existing")),
    }
}

/// Where this member is reached by its peers, the members that found the cluster, and whether they speak TLS.
fn members(flags: &Flags, known: bool) -> Result<(String, Vec<InitialMember>, bool), String> {
    let (name, text) = (flags.text("name"), flags.text("initial-advertise-peer-urls"));
    let own = urls::list(text)?;
    let alone = || text.split(',').map(|url| format!("{name}={url}")).collect::<Vec<_>>().join(",");
    let cluster = urls::cluster(&flags.some("initial-cluster").map_or_else(alone, str::to_owned))
        .map_err(|why| format!("error setting up initial cluster: {why}"))?;
    let mut members = Vec::new();
    for (name, urls) in &cluster {
        let [url] = &urls[..] else {
            return Err(format!("{name:?} has several peer URLs in --initial-cluster: one can be had here"));
        };
        members.push(InitialMember { name: name.clone(), peer: url.address.clone() });
    }
    let tls = cluster.iter().flat_map(|(_, urls)| urls).any(|url| url.tls);
    if known {
        // A member keeps its address until somebody updates it (etcdctl member update).
        let text = if flags.said("initial-cluster") { tls } else { uses_tls_for_peers(flags) };
        return Ok((String::new(), members, text));
    }
    if cluster.iter().flat_map(|(_, urls)| urls).any(|url| url.tls != tls) {
        return Err(
            "--initial-cluster mixes http and https: members speak TLS to each other, or none do".into()
        );
    }
    let Some(this) = cluster.iter().find(|(member, _)| member == name) else {
        return Err(format!("couldn't find local name {name:?} in the initial cluster configuration"));
    };
    if !this.1.iter().all(|url| own.contains(url)) || own.len() != this.1.len() {
        let url = this.1.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!(
            "--initial-cluster has {name}={url} but missing from --initial-advertise-peer-urls={text}"
        ));
    }
    let addresses: std::collections::BTreeSet<_> = members.iter().map(|member| &member.peer).collect();
    if addresses.len() < members.len() {
        return Err("--initial-cluster names one peer URL for two members".into());
    }
    Ok((own[0].address.clone(), members, tls))
}

/// Without a word about the others, they do as this one.
fn uses_tls_for_peers(flags: &Flags) -> bool {
    flags.some("peer-cert-file").is_some()
}

fn client_tls(flags: &Flags, clients: &[Url], metrics: &[Url]) -> Result<Option<ForeignConfig>, String> {
    let Some(url) = clients.iter().chain(metrics).find(|url| url.tls) else { return Ok(None) };
    let mut tls = files(flags, url, "")?;
    tls.host = flags.some("client-cert-allowed-hostname").map(str::to_owned);
    Ok(Some(tls))
}

fn peer_tls(flags: &Flags, peers: &[Url], dials: bool) -> Result<Option<ForeignConfig>, String> {
    let needed = peers.iter().find(|url| url.tls);
    let Some(url) = needed.or(peers.first().filter(|_| dials)) else { return Ok(None) };
    let mut tls = files(flags, url, "peer-")?;
    if dials && tls.ca.is_none() {
        return Err(
            "--peer-trusted-ca-file is missing: without it no peer's certificate could be trusted".into()
        );
    }
    tls.common_name = flags.some("peer-cert-allowed-cn").map(str::to_owned);
    tls.host = flags.some("peer-cert-allowed-hostname").map(str::to_owned);
    if tls.common_name.is_some() && tls.host.is_some() {
        return Err("--peer-cert-allowed-cn and --peer-cert-allowed-hostname exclude each other".into());
    }
    tls.client = match (flags.some("peer-client-cert-file"), flags.some("peer-client-key-file")) {
        (Some(cert), Some(key)) => Some((cert.into(), key.into())),
        (None, None) => None,
        _ => return Err("--peer-client-cert-file and --peer-client-key-file go together".into()),
    };
    Ok(Some(tls))
}

fn files(flags: &Flags, url: &Url, prefix: &str) -> Result<ForeignConfig, String> {
    let flag = |name: &str| flags.some(&format!("{prefix}{name}"));
    let (Some(cert), Some(key)) = (flag("cert-file"), flag("key-file")) else {
        return Err(format!("cannot listen on TLS for {url}: KeyFile and CertFile are not presented"));
    };
    let ca = flag("trusted-ca-file").map(PathBuf::from);
    if flags.switch(&format!("{prefix}client-cert-auth")) && ca.is_none() {
        return Err(format!(
            "--{prefix}client-cert-auth needs --{prefix}trusted-ca-file: the CAs of the system are not asked"
        ));
    }
    let only_tls13 = match flags.text("tls-min-version") {
        "" | "TLS1.2" => false,
        "TLS1.3" => true,
        other => return Err(format!("unexpected TLS version {other:?}: TLS1.2 and TLS1.3 can be had")),
    };
    let suites = flags
        .some("cipher-suites")
        .map_or_else(Vec::new, |text| text.split(',').map(|suite| suite.trim().to_owned()).collect());
    Ok(ForeignConfig { cert: cert.into(), key: key.into(), ca, only_tls13, suites, ..Default::default() })
}

fn server_limits(flags: &Flags) -> Result<kit::server::Limits, String> {
    let mut limits = kit::server::Limits::default();
    if flags.said("max-concurrent-streams") {
        limits.streams = natural(flags, "max-concurrent-streams")?;
    }
    if flags.said("grpc-keepalive-interval") {
        limits.keepalive_interval = flags.duration("grpc-keepalive-interval");
    }
    limits.keepalive_timeout = flags.duration("grpc-keepalive-timeout");
    Ok(limits)
}

fn raft(flags: &Flags) -> Result<RaftConfig, String> {
    let mut raft = RaftConfig {
        heartbeat: Duration::from_millis(natural(flags, "heartbeat-interval")?),
        election: Duration::from_millis(natural(flags, "election-timeout")?),
        dir: flags.some("wal-dir").map(PathBuf::from),
        ..RaftConfig::default()
    };
    if flags.said("snapshot-count") {
        raft.entries_per_flush = natural(flags, "snapshot-count")?;
    }
    if flags.said("experimental-snapshot-catchup-entries") {
        raft.entries_kept = natural(flags, "experimental-snapshot-catchup-entries")?;
    }
    let (heartbeat, election) = (raft.heartbeat.as_millis(), raft.election.as_millis());
    if heartbeat == 0 {
        return Err(format!("--heartbeat-interval must be >0 (set to {heartbeat}ms)"));
    }
    if election == 0 {
        return Err(format!("--election-timeout must be >0 (set to {election}ms)"));
    }
    if 5 * heartbeat > election {
        return Err(format!(
            "--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]"
        ));
    }
    if election > 50_000 {
        return Err(format!(
            "--election-timeout[{election}ms] is too long, and should be set less than 50000ms"
        ));
    }
    Ok(raft)
}

fn limits(flags: &Flags) -> Result<Limits, String> {
    let slow_request = if flags.said("experimental-warning-unary-request-duration") {
        flags.duration("experimental-warning-unary-request-duration")
    } else {
        Limits::default().slow_request
    };
    Ok(Limits {
        request_bytes: natural(flags, "max-request-bytes")?,
        txn_operations: natural(flags, "max-txn-ops")?,
        watch_progress: flags.duration("experimental-watch-progress-notify-interval"),
        slow_request,
        ..Limits::default()
    })
}

fn store(flags: &Flags) -> Result<StoreConfig, String> {
    let mut store = StoreConfig {
        quota_bytes: flags.number("quota-backend-bytes"),
        auto_compaction: auto_compaction(flags)?,
        ..StoreConfig::default()
    };
    let check = flags.duration("experimental-corrupt-check-time");
    if !check.is_zero() {
        store.check_interval = check;
    }
    Ok(store)
}

/// etcd's rules: whole numbers of hours, or a duration; 0 switches it off.
fn auto_compaction(flags: &Flags) -> Result<Option<AutoCompaction>, String> {
    let (mode, text) = (flags.text("auto-compaction-mode"), flags.text("auto-compaction-retention"));
    let whole = text.parse::<u32>();
    match mode {
        "revision" => {
            let kept = text.parse::<u64>().map_err(|e| format!("error parsing CompactionRetention: {e}"))?;
            Ok((kept > 0).then_some(AutoCompaction::Revisions(kept)))
        }
        "periodic" => {
            let period = whole.ok().map(|hours| HOUR * hours).or_else(|| go_duration(text));
            let period = period.ok_or_else(|| {
                format!("error parsing CompactionRetention: time: invalid duration {text:?}")
            })?;
            Ok((!period.is_zero()).then_some(AutoCompaction::Period(period)))
        }
        other => Err(format!("unknown auto-compaction-mode {other:?}")),
    }
}

fn auth(flags: &Flags) -> Result<AuthConfig, String> {
    Ok(AuthConfig {
        token: flags.text("auth-token").to_owned(),
        token_ttl: Duration::from_secs(natural(flags, "auth-token-ttl")?),
        bcrypt_cost: natural(flags, "bcrypt-cost")?,
        certificate_users: flags.switch("client-cert-auth"),
    })
}

fn log(flags: &Flags) -> Result<LogConfig, String> {
    let level = match flags.text("log-level") {
        level @ ("debug" | "info" | "warn" | "error") => level,
        "dpanic" | "panic" | "fatal" => "error",
        other => return Err(format!("unrecognized level: {other:?}")),
    };
    let output = match flags.text("log-outputs") {
        "default" | "stderr" | "systemd/journal" => LogOutput::Stderr,
        "stdout" => LogOutput::Stdout,
        several if several.contains(',') => {
            return Err(format!("--log-outputs={several}: one output can be had here"));
        }
        path => LogOutput::File(path.into()),
    };
    // The engine's own lines are of use only to whoever works on it.
    let filter = if level == "debug" {
        "debug,openraft=info,h2=info".into()
    } else {
        format!("{level},openraft=warn")
    };
    Ok(LogConfig { format: LogFormat::Zap, filter, output })
}

fn natural<T: TryFrom<i64>>(flags: &Flags, name: &str) -> Result<T, String> {
    let number = flags.number(name);
    T::try_from(number).map_err(|_| format!("--{name}={number} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::flags::Stop;

    fn settings(line: &str, known: bool) -> Result<Settings, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match Flags::parse(&arguments, []) {
            Ok(flags) => Settings::of(&flags, |_| known),
            Err(Stop::Refused(why) | Stop::Usage(why)) => Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }

    const THREE: &str = "--name a --initial-advertise-peer-urls http://10.0.0.1:2380 --initial-cluster \
        a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380";

    #[test]
    fn without_flags_it_is_a_cluster_of_one_at_etcds_ports() {
        let settings = settings("", false).unwrap();
        let config = &settings.config;
        assert_eq!(config.data_dir, Path::new("default.etcd"));
        assert_eq!(config.client.listen, "127.0.0.1:2379".parse().unwrap());
        assert_eq!(config.client.advertise, ["http://localhost:2379"]);
        assert_eq!((config.peer.advertise.as_str(), config.join), ("localhost:2380", false));
        assert_eq!(config.initial_members.len(), 1);
        assert!(settings.client_tls.is_none() && settings.peer_tls.is_none());
        assert_eq!(config.store.auto_compaction, None);
    }

    #[test]
    fn etcds_refusals_in_its_words() {
        for (line, words) in [
            (
                "--listen-client-urls http://0.0.0.0:1",
                "--advertise-client-urls is required when --listen-client-urls is set explicitly",
            ),
            (
                "--heartbeat-interval 300",
                "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[300ms]",
            ),
            (
                "--election-timeout 60000",
                "--election-timeout[60000ms] is too long, and should be set less than 50000ms",
            ),
            (
                "--name z --initial-cluster a=http://h:1",
                "couldn't find local name \"z\" in the initial cluster configuration",
            ),
            (
                "--name a --initial-cluster a=http://h:1",
                "--initial-cluster has a=http://h:1 but missing from --initial-advertise-peer-urls=http://localhost:2380",
            ),
            (
                "--listen-client-urls https://0.0.0.0:1 --advertise-client-urls https://h:1",
                "cannot listen on TLS for https://0.0.0.0:1: KeyFile and CertFile are not presented",
            ),
            ("--auto-compaction-mode often", "unknown auto-compaction-mode \"often\""),
            ("--listen-peer-urls http://h:1", "expected IP in URL for binding (http://h:1)"),
            ("--log-level loud", "unrecognized level: \"loud\""),
        ] {
            assert_eq!(settings(line, false).unwrap_err(), words, "{line}");
        }
    }

    #[test]
    fn a_member_that_is_known_needs_no_word_about_its_founding() {
        let settings = settings("--name z --initial-cluster a=http://h:1", true).unwrap();
        assert_eq!(settings.config.peer.advertise, "");
        assert!(settings.config.any_cluster);
    }

    #[test]
    fn three_founders_and_one_that_joins() {
        let founder = settings(THREE, false).unwrap();
        assert_eq!(founder.config.initial_members.len(), 3);
        assert_eq!(founder.config.peer.advertise, "10.0.0.1:2380");
        let joins = settings(&format!("{THREE} --initial-cluster-state existing"), false).unwrap();
        assert!(joins.config.join);
    }

    #[test]
    fn tls_is_taken_where_a_url_says_so() {
        let line = "--listen-client-urls https://0.0.0.0:1,http://127.0.0.1:2 --advertise-client-urls https://h:1 \
            --cert-file c --key-file k --client-cert-auth --trusted-ca-file ca --tls-min-version TLS1.3";
        let settings = settings(line, false).unwrap();
        let tls = settings.client_tls.unwrap();
        assert_eq!((tls.cert, tls.ca, tls.only_tls13), ("c".into(), Some("ca".into()), true));
        assert_eq!(settings.clients.iter().map(|url| url.tls).collect::<Vec<_>>(), [true, false]);
        assert!(settings.config.auth.certificate_users);
    }

    #[test]
    fn peers_over_tls_need_a_ca() {
        let line = THREE.replace("http:", "https:")
            + " --listen-peer-urls https://0.0.0.0:2380 \
            --peer-cert-file c --peer-key-file k";
        assert!(settings(&line, false).unwrap_err().starts_with("--peer-trusted-ca-file is missing"));
        let complete = settings(&format!("{line} --peer-trusted-ca-file ca --peer-cert-allowed-cn m"), false);
        assert_eq!(complete.unwrap().peer_tls.unwrap().common_name.as_deref(), Some("m"));
    }

    #[test]
    fn history_is_kept_as_long_as_etcd_would_keep_it() {
        let kept = |line: &str| settings(line, false).map(|s| s.config.store.auto_compaction);
        assert_eq!(kept("--auto-compaction-retention 2"), Ok(Some(AutoCompaction::Period(HOUR * 2))));
        assert_eq!(
            kept("--auto-compaction-retention 90s"),
            Ok(Some(AutoCompaction::Period(Duration::from_secs(90))))
        );
        let counted = "--auto-compaction-mode revision --auto-compaction-retention 500";
        assert_eq!(kept(counted), Ok(Some(AutoCompaction::Revisions(500))));
        assert!(kept("--auto-compaction-retention soon").is_err());
    }
}
