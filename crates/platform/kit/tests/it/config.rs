//! Mistakes in a configuration, as an operator reads them.

use std::path::Path;
use std::time::Duration;

use kit::admin::AdminConfig;
use kit::config::{self, RoleConfig};
use kit::server::Limits;
use kit::telemetry::{LogConfig, LogFormat};
use kit::tls::TlsConfig;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    initial_members: Vec<Member>,
    admin: AdminConfig,
    tls: TlsConfig,
    #[serde(default)]
    raft: Raft,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    log: LogConfig,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: String,
    peer: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raft {
    #[serde(with = "humantime_serde")]
    heartbeat: Duration,
    #[serde(with = "humantime_serde")]
    election: Duration,
}

impl Default for Raft {
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(100), election: Duration::from_secs(1) }
    }
}

impl RoleConfig for Config {
    const ROLE: &'static str = "chainfire";

    fn validate(&self) -> Result<(), Vec<String>> {
        let mut problems = Vec::new();
        if self.raft.election < 5 * self.raft.heartbeat {
            problems.push("raft.election must be at least five times raft.heartbeat: raise it".to_owned());
        }
        if self.name.is_empty() {
            problems.push("name is empty: give the node's name".to_owned());
        }
        if let Err(e) = self.log.parse_filter() {
            problems.push(e.to_string());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

const GOOD: &str = r#"name = "node01"

[[initial_members]]
name = "node01"
peer = "10.60.0.11:2380"

[admin]
listen = "0.0.0.0:2381"
allow = ["operator/*", "node/*/*"]

[tls] # where the identity lies
cert = "/etc/x/cert.pem"
key = "/etc/x/key.pem"
ca = "/etc/x/ca.pem"

[raft]
heartbeat = "100ms"
"#;

fn parse(text: &str) -> Result<Config, config::ConfigError> {
    config::parse(Path::new("/etc/x.toml"), text)
}

/// What is said about the good file with one change.
fn said(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn a_good_file_and_its_defaults() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.raft.election, Duration::from_secs(1));
    assert_eq!(config.tls.reload, Duration::from_secs(10));
    assert_eq!(config.log.format, LogFormat::Human);
    let dumped = config::dump(&config).unwrap();
    assert!(dumped.contains("[limits]\nconnections = 4096\n"), "{dumped}");
    assert!(dumped.contains("election = \"1s\"\n") && dumped.contains("reload = \"10s\"\n"), "{dumped}");
    assert_eq!(parse(&dumped).unwrap(), config, "the dump is not what was dumped");
}

#[test]
fn mistakes_are_told_with_place_and_cure() {
    for (from, to, expected) in [
        (
            "heartbeat",
            "hartbeat",
            "/etc/x.toml:17:1: unknown key \"hartbeat\" in [raft]; did you mean \"heartbeat\"? Known keys: election, heartbeat",
        ),
        (
            "name = \"node01\"\n\n",
            "nmae = \"node01\"\n\n",
            "/etc/x.toml:1:1: unknown key \"nmae\" at the top level; did you mean \"name\"? Known keys: admin, initial_members, limits, log, name, raft, tls",
        ),
        (
            "[raft]",
            "[raff]",
            "/etc/x.toml:16:2: unknown key \"raff\" at the top level; did you mean \"raft\"? Known keys: admin, initial_members, limits, log, name, raft, tls",
        ),
        (
            "peer =",
            "\"peer-url\" =",
            "/etc/x.toml:5:1: unknown key \"peer-url\" in [initial_members]. Known keys: name, peer",
        ),
        (
            "cert = \"/etc/x/cert.pem\"\n",
            "",
            "/etc/x.toml:11:1: the key \"cert\" is missing in [tls]; add it",
        ),
        (
            "\"100ms\"",
            "100",
            "/etc/x.toml:17:13: raft.heartbeat: invalid type: integer `100`, expected a duration",
        ),
        (
            "\"100ms\"",
            "\"100 parsecs\"",
            "/etc/x.toml:17:13: raft.heartbeat: invalid value: string \"100 parsecs\", expected a duration",
        ),
        (
            "node/*/*",
            "node/**",
            "/etc/x.toml:9:9: admin.allow: `node/**` is not an allow pattern: write a SPIFFE path without its trust domain, where `*` stands for one whole segment, such as `node/*/chainfire`",
        ),
        ("0.0.0.0:2381", "0.0.0.0", "/etc/x.toml:8:10: admin.listen: invalid socket address syntax"),
        ("[raft]", "[raft", "/etc/x.toml:16:6: unclosed table, expected `]`"),
        (
            "[raft]",
            "[log]\nformat = \"jsn\"\n[raft]",
            "/etc/x.toml:17:10: unknown value \"jsn\" for log.format; did you mean \"json\"? Known values: human, json, zap",
        ),
        (
            "\"100ms\"",
            "\"300ms\"\n[log]\nfilter = \"chainfire=loud\"",
            "/etc/x.toml: raft.election must be at least five times raft.heartbeat: raise it\n/etc/x.toml: log.filter \"chainfire=loud\" does not parse: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write a level such as \"info\", or \"info,chainfire=debug\"",
        ),
        (
            "name = \"node01\"\n\n[[initial_members]]",
            "[[initial_members]]",
            "/etc/x.toml:1:1: the key \"name\" is missing at the top level; add it",
        ),
    ] {
        assert_eq!(said(from, to), expected);
    }
}

proptest! {
    /// Whatever is in the file, the answer is an error with a place in it, and never a panic.
    #[test]
    fn damage_is_always_an_error(at in 0..GOOD.len(), junk in "\\PC{0,6}|[\"\\[\\]=.\n]{0,4}") {
        let damaged = format!("{}{junk}{}", &GOOD[..at], &GOOD[at..]);
        if let Err(config::ConfigError::Mistake { mistake, .. }) = parse(&damaged) {
            let line = damaged.split('\n').nth(mistake.line - 1).expect("a line of the file");
            prop_assert!(mistake.column <= line.chars().count() + 1, "{mistake}");
        }
    }
}

#[test]
fn a_file_is_loaded_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    let missing = config::load::<Config>(&path).unwrap_err().to_string();
    assert_eq!(
        missing,
        format!("cannot read the configuration {}: No such file or directory (os error 2)", path.display())
    );
    std::fs::write(&path, GOOD).unwrap();
    assert_eq!(
        config::check::<Config>(&path).unwrap(),
        format!("{} is a valid configuration of chainfire", path.display())
    );
}
