//! etcd 3.5's flags, in the grammar of Go's `flag` package: one dash or two, `-name value` or `-name=value`,
//! switches without a value. What is not said on the command line may be said by `ETCD_NAME` in the environment.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table::Kind::{self, Duration as Time, Number, Switch, Text};
use super::table::Use::{Moot, Only, Taken};
use super::table::{FLAGS, row};

/// Why the command line leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// `--help`: to stdout, with success.
    Help,
    /// `--version`, likewise.
    Version,
    /// Go's parser would print this, then how flags are used, and end with 2.
    Usage(String),
    /// etcd would log this and end with 1.
    Refused(String),
}

/// What was said, and the defaults of what was not.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    said: BTreeMap<&'static str, String>,
    /// What deserves a warning.
    pub(super) warnings: Vec<String>,
}

impl Flags {
    /// Takes a command line, without the program's name, and an environment.
    pub(super) fn parse(
        arguments: &[String],
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Stop> {
        let mut flags = Self::default();
        flags.take_arguments(arguments)?;
        flags.take_environment(environment)?;
        if flags.switch("help") || flags.switch("h") {
            return Err(Stop::Help);
        }
        if flags.switch("version") {
            return Err(Stop::Version);
        }
        flags.weigh()?;
        Ok(flags)
    }

    fn take_arguments(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let stripped = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
            let Some(body) = stripped.filter(|body| !body.is_empty()) else {
                return Err(Stop::Refused(format!("'{argument}' is not a valid flag")));
            };
            if body.starts_with(['-', '=']) {
                return Err(Stop::Usage(format!("bad flag syntax: {argument}")));
            }
            let (name, given) =
                body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
            let Some((name, kind, ..)) = row(name) else {
                return Err(Stop::Usage(format!("flag provided but not defined: -{name}")));
            };
            let value = match (given, kind) {
                (Some(value), _) => value.to_owned(),
                (None, Switch) => "true".to_owned(),
                (None, _) => match rest.next() {
                    Some(value) => value.clone(),
                    None => return Err(Stop::Usage(format!("flag needs an argument: -{name}"))),
                },
            };
            let value = normal(*kind, &value).ok_or_else(|| {
                let kind = if *kind == Switch { "boolean value" } else { "value" };
                Stop::Usage(format!("invalid {kind} {value:?} for flag -{name}: parse error"))
            })?;
            self.said.insert(name, value);
        }
        Ok(())
    }

    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Stop> {
        for (variable, value) in environment {
            let Some(rest) = variable.strip_prefix("ETCD_") else { continue };
            let name = rest.to_ascii_lowercase().replace('_', "-");
            match row(&name) {
                None => self.warnings.push(format!("unrecognized environment variable {variable}={value}")),
                Some((name, ..)) if self.said.contains_key(name) => {
                    self.warnings.push(format!("{variable} is shadowed by the flag --{name}"));
                }
                // As in etcd: empty says nothing.
                Some(_) if value.is_empty() => {}
                Some((name, kind, ..)) => {
                    let value = normal(*kind, &value).ok_or_else(|| {
                        Stop::Refused(format!("invalid value {value:?} for {variable}: parse error"))
                    })?;
                    self.said.insert(name, value);
                }
            }
        }
        Ok(())
    }

    /// Refuses what cannot be had, and warns of what changes nothing.
    fn weigh(&mut self) -> Result<(), Stop> {
        for (name, value) in &self.said {
            match row(name).map(|row| row.3) {
                Some(Only(values, why)) if !values.contains(&value.as_str()) => {
                    return Err(Stop::Refused(format!("--{name}={value} cannot be had here: {why}")));
                }
                Some(Moot) => self.warnings.push(format!("--{name} changes nothing here")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether it was said, by flag or environment.
    pub(super) fn said(&self, name: &str) -> bool {
        self.said.contains_key(name)
    }

    /// The text of a flag.
    pub(super) fn text(&self, name: &str) -> &str {
        let default = || row(name).map_or("", |row| row.2);
        self.said.get(name).map_or_else(default, String::as_str)
    }

    /// None: it is empty.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Checked when it was taken.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    pub(super) fn duration(&self, name: &str) -> Duration {
        go_duration(self.text(name)).unwrap_or_default()
    }
}

/// A value as it is kept; none if it is not of its kind.
fn normal(kind: Kind, value: &str) -> Option<String> {
    match kind {
        Text => Some(value.to_owned()),
        Switch => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some("true".to_owned()),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some("false".to_owned()),
            _ => None,
        },
        Number => value.parse::<i64>().ok().map(|number| number.to_string()),
        Time => go_duration(value).map(|_| value.to_owned()),
    }
}

/// Go's `time.ParseDuration`, for what is not negative: `1h30m`, `1.5s`, `0`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let unit =
            rest[digits..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |n| n + digits);
        let number: f64 = rest[..digits].parse().ok()?;
        let seconds = match &rest[digits..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(total)
}

/// How flags are used, for people.
pub(super) fn usage() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "Usage:\n\n  ultracloud etcd [flags]\n    Starts a ChainFire member the way etcd 3.5 is started; called by the name `etcd`, it does the same.\n\n  ultracloud etcd --version\n    Shows the version of etcd that it passes for.\n\nEvery flag may be given as ETCD_NAME in the environment, too. Flags marked (*) are taken and change nothing.\n",
    );
    for (heading, rows) in FLAGS {
        let _ = writeln!(text, "\n{heading}:");
        for (name, _, default, meaning) in *rows {
            let note = match meaning {
                Taken => String::new(),
                Moot => "(*)".to_owned(),
                Only(_, why) => format!("nothing else can be had: {why}"),
            };
            let flag = format!("--{name} '{default}'");
            let _ = writeln!(text, "{}", format!("  {flag:<58} {note}").trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Flags, Stop> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Flags::parse(&arguments, environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn every_way_to_say_a_flag_is_understood() {
        let flags =
            parse("-name a --data-dir=/x --client-cert-auth --quota-backend-bytes -1 -pre-vote=T", &[]);
        let flags = flags.unwrap();
        assert_eq!((flags.text("name"), flags.text("data-dir")), ("a", "/x"));
        assert!(flags.switch("client-cert-auth") && flags.switch("pre-vote") && !flags.said("wal-dir"));
        assert_eq!((flags.number("quota-backend-bytes"), flags.number("snapshot-count")), (-1, 100_000));
        assert_eq!(flags.duration("grpc-keepalive-interval"), Duration::from_secs(7200));
    }

    #[test]
    fn the_environment_speaks_where_the_flags_are_silent() {
        let flags = parse(
            "--name=a",
            &[
                ("ETCD_NAME", "b"),
                ("ETCD_DATA_DIR", "/e"),
                ("ETCD_WAL_DIR", ""),
                ("ETCD_X", "1"),
                ("HOME", "/"),
            ],
        );
        let flags = flags.unwrap();
        assert_eq!((flags.text("name"), flags.text("data-dir"), flags.said("wal-dir")), ("a", "/e", false));
        assert_eq!(
            flags.warnings,
            ["ETCD_NAME is shadowed by the flag --name", "unrecognized environment variable ETCD_X=1"]
        );
        let bad = parse("", &[("ETCD_SNAPSHOT_COUNT", "many")]).unwrap_err();
        assert_eq!(bad, Stop::Refused("invalid value \"many\" for ETCD_SNAPSHOT_COUNT: parse error".into()));
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (line, words) in [
            ("--nope", "flag provided but not defined: -nope"),
            ("---name", "bad flag syntax: ---name"),
            ("--name", "flag needs an argument: -name"),
            ("--pre-vote=maybe", "invalid boolean value \"maybe\" for flag -pre-vote: parse error"),
            ("--max-txn-ops 1k", "invalid value \"1k\" for flag -max-txn-ops: parse error"),
        ] {
            assert_eq!(parse(line, &[]).unwrap_err(), Stop::Usage(words.into()));
        }
        let stray = parse("run --name a", &[]).unwrap_err();
        assert_eq!(stray, Stop::Refused("'run' is not a valid flag".into()));
    }

    #[test]
    fn what_cannot_be_had_is_refused_and_what_is_moot_is_said() {
        let Err(Stop::Refused(why)) = parse("--force-new-cluster", &[]) else { panic!("it was taken") };
        assert!(why.contains("recover-quorum"), "{why}");
        assert!(parse("--force-new-cluster=false --logger zap", &[]).unwrap().warnings.is_empty());
        assert_eq!(parse("--max-wals 3", &[]).unwrap().warnings, ["--max-wals changes nothing here"]);
        assert_eq!(parse("--help", &[]).unwrap_err(), Stop::Help);
        assert_eq!(parse("-version --discovery x", &[]).unwrap_err(), Stop::Version);
    }

    #[test]
    fn every_default_is_of_its_kind_and_can_be_had() {
        for (name, kind, default, meaning) in FLAGS.iter().flat_map(|(_, rows)| rows.iter()) {
            assert!(normal(*kind, default).is_some(), "{name}");
            if let Only(values, _) = meaning {
                assert!(values.contains(default), "{name}");
            }
            assert!(usage().contains(&format!("--{name} ")), "{name}");
        }
    }

    #[test]
    fn gos_durations() {
        for (text, millis) in [("0", 0), ("0s", 0), ("1h30m", 5_400_000), ("1.5s", 1500), ("250ms", 250)] {
            assert_eq!(go_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "s", "1x", "-1s", "1s1"] {
            assert_eq!(go_duration(bad), None, "{bad}");
        }
    }
}
