//! What a session may set and show: PostgreSQL's parameters that its clients touch, and a few of our own.
//!
//! A parameter that changes nothing here is kept and shown all the same if it is about speed or about what there is not
//! (`work_mem`, `row_security`); one whose other values would change what statements mean is refused in those.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{SqlError, SqlState};

/// What values a parameter takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    /// on and off, in PostgreSQL's spellings.
    Bool,
    /// A number between two, without a unit.
    Int(i64, i64),
    /// A time, kept in milliseconds; a bare number is as many.
    Milliseconds,
    /// A size, kept in kibibytes; a bare number is as many.
    Kibibytes,
    /// One of these; case does not matter.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// Nothing: it can be shown.
    Nothing,
    /// A time zone; its caller knows which there are.
    Zone,
}

struct Parameter {
    name: &'static str,
    initial: &'static str,
    takes: Takes,
    /// Clients are told when it changes.
    told: bool,
}

const fn of(name: &'static str, initial: &'static str, takes: Takes) -> Parameter {
    Parameter { name, initial, takes, told: false }
}

const fn told(name: &'static str, initial: &'static str, takes: Takes) -> Parameter {
    Parameter { name, initial, takes, told: true }
}

/// As PostgreSQL 15 spells its own.
pub(crate) const VERSION: &str = "15.0";
const ISOLATION: Takes =
    Takes::OneOf(&["serializable", "repeatable read", "read committed", "read uncommitted"]);
const MESSAGES: Takes =
    Takes::OneOf(&["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"]);
const ENCODINGS: Takes = Takes::OneOf(&["UTF8", "UTF-8", "UNICODE", "SQL_ASCII"]);
const NUMBERS: Takes = Takes::Int(0, i32::MAX as i64);

/// In the order of their names.
const PARAMETERS: &[Parameter] = &[
    told("application_name", "", Takes::Text),
    of("backslash_quote", "safe_encoding", Takes::OneOf(&["safe_encoding", "on", "off"])),
    of("bytea_output", "hex", Takes::OneOf(&["hex", "escape"])),
    of("check_function_bodies", "on", Takes::Bool),
    told("client_encoding", "UTF8", ENCODINGS),
    of("client_min_messages", "notice", MESSAGES),
    of("constraint_exclusion", "partition", Takes::OneOf(&["on", "off", "partition"])),
    told("DateStyle", "ISO, MDY", Takes::OneOf(&["ISO, MDY", "ISO", "ISO, DMY", "ISO, YMD", "ISO,MDY"])),
    of("default_table_access_method", "heap", Takes::Text),
    of("default_tablespace", "", Takes::Text),
    told("default_transaction_isolation", "serializable", ISOLATION),
    of("default_transaction_deferrable", "off", Takes::Bool),
    told("default_transaction_read_only", "off", Takes::Bool),
    of("default_with_oids", "off", Takes::OneOf(&["off", "false"])),
    of("enable_bitmapscan", "on", Takes::Bool),
    of("enable_hashjoin", "on", Takes::Bool),
    of("enable_indexscan", "on", Takes::Bool),
    of("enable_mergejoin", "on", Takes::Bool),
    of("enable_nestloop", "on", Takes::Bool),
    of("enable_seqscan", "on", Takes::Bool),
    of("enable_sort", "on", Takes::Bool),
    of("escape_string_warning", "on", Takes::Bool),
    of("extra_float_digits", "1", Takes::Int(-15, 3)),
    of("flaredb.acknowledge", "", Takes::Text),
    of("flaredb.idempotency_key", "", Takes::Text),
    of("flaredb.read_level", "strict", Takes::Text),
    of("geqo", "on", Takes::Bool),
    of("idle_in_transaction_session_timeout", "0", Takes::Milliseconds),
    of("idle_session_timeout", "0", Takes::Milliseconds),
    told("in_hot_standby", "off", Takes::Nothing),
    told("integer_datetimes", "on", Takes::Nothing),
    told(
        "IntervalStyle",
        "postgres",
        Takes::OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
    ),
    told("is_superuser", "off", Takes::Nothing),
    of("jit", "off", Takes::Bool),
    of("lc_collate", "C", Takes::Nothing),
    of("lc_ctype", "C", Takes::Nothing),
    of("lc_messages", "C", Takes::Text),
    of("lc_monetary", "C", Takes::Text),
    of("lc_numeric", "C", Takes::Text),
    of("lc_time", "C", Takes::Text),
    of("lock_timeout", "0", Takes::Milliseconds),
    of("log_statement", "none", Takes::OneOf(&["none", "ddl", "mod", "all"])),
    of("maintenance_work_mem", "65536", Takes::Kibibytes),
    of("max_identifier_length", "63", Takes::Nothing),
    of("max_index_keys", "32", Takes::Nothing),
    of("max_parallel_workers_per_gather", "0", NUMBERS),
    of("password_encryption", "scram-sha-256", Takes::OneOf(&["scram-sha-256"])),
    of("plan_cache_mode", "auto", Takes::OneOf(&["auto", "force_generic_plan", "force_custom_plan"])),
    of("quote_all_identifiers", "off", Takes::Bool),
    of("random_page_cost", "4", Takes::Text),
    of("role", "none", Takes::Text),
    of("row_security", "on", Takes::Bool),
    of("search_path", "\"$user\", public", Takes::Text),
    told("server_encoding", "UTF8", Takes::Nothing),
    told("server_version", VERSION, Takes::Nothing),
    of("server_version_num", "150000", Takes::Nothing),
    told("session_authorization", "", Takes::Nothing),
    told("standard_conforming_strings", "on", Takes::OneOf(&["on", "true", "yes", "1"])),
    of("statement_timeout", "0", Takes::Milliseconds),
    of("synchronize_seqscans", "on", Takes::Bool),
    of("synchronous_commit", "on", Takes::OneOf(&["on", "remote_apply", "remote_write", "local", "off"])),
    told("TimeZone", "UTC", Takes::Zone),
    of("transaction_deferrable", "off", Takes::Bool),
    of("transaction_isolation", "serializable", ISOLATION),
    of("transaction_read_only", "off", Takes::Bool),
    of("transform_null_equals", "off", Takes::OneOf(&["off", "false"])),
    of("work_mem", "4096", Takes::Kibibytes),
    of("xmlbinary", "base64", Takes::OneOf(&["base64", "hex"])),
    of("xmloption", "content", Takes::OneOf(&["content", "document"])),
];

/// Names in a list, as `search_path` has them: quoted ones as they are, others in lower case.
pub(crate) fn names(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| match name.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
            Some(inner) => inner.replace("\"\"", "\""),
            None => name.to_ascii_lowercase(),
        })
        .collect()
}

/// A session's parameters. Changes of a transaction that fails are taken back with it.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    values: BTreeMap<&'static str, String>,
    /// What a reset goes back to: as the session began.
    initial: BTreeMap<&'static str, String>,
    /// What was changed since the transaction began, oldest first.
    undo: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    name: &'static str,
    before: String,
    local: bool,
}

/// A parameter that clients are told of, and what it is now.
pub(crate) type Told = (&'static str, String);

impl Parameters {
    /// As a session begins; what may only be shown is given here.
    pub(crate) fn new(fixed: &[(&'static str, String)]) -> Self {
        let mut initial: BTreeMap<&'static str, String> =
            PARAMETERS.iter().map(|parameter| (parameter.name, parameter.initial.to_owned())).collect();
        initial.extend(fixed.iter().cloned());
        Self { values: initial.clone(), initial, undo: Vec::new() }
    }

    /// What the session begins with, from now on.
    pub(crate) fn settle(&mut self) {
        self.undo.clear();
        self.initial.clone_from(&self.values);
    }

    /// All that clients are told of at the beginning.
    pub(crate) fn told(&self) -> Vec<Told> {
        let told = PARAMETERS.iter().filter(|parameter| parameter.told);
        told.map(|parameter| (parameter.name, self.values[parameter.name].clone())).collect()
    }

    /// All of them, for `SHOW ALL`.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, String)> {
        PARAMETERS.iter().map(|parameter| (parameter.name, shown(parameter, &self.values[parameter.name])))
    }

    /// As `SHOW` has it.
    pub(crate) fn show(&self, name: &str) -> Result<(&'static str, String), SqlError> {
        let parameter = find(name)?;
        Ok((parameter.name, shown(parameter, &self.values[parameter.name])))
    }

    /// As it is kept: times in milliseconds, sizes in kibibytes.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// A time; none: zero, which means for ever.
    pub(crate) fn time(&self, name: &str) -> Option<Duration> {
        let milliseconds = self.get(name).parse().unwrap_or(0);
        Some(Duration::from_millis(milliseconds)).filter(|time| !time.is_zero())
    }

    /// Whether it is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name) == "on"
    }

    /// Sets a parameter; what clients are to be told. `local`: until the transaction ends. `zone`: whether there is a
    /// time zone of this name, and how it is spelt.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: &str,
        local: bool,
        zone: impl FnOnce(&str) -> Option<String>,
    ) -> Result<Option<Told>, SqlError> {
        let parameter = find(name)?;
        let value = accept(parameter, value, zone)?;
        Ok(self.put(parameter, value, local))
    }

    /// Back to what the session began with.
    pub(crate) fn reset(&mut self, name: &str) -> Result<Option<Told>, SqlError> {
        let parameter = find(name)?;
        if matches!(parameter.takes, Takes::Nothing) {
            return Err(fixed(parameter.name));
        }
        let value = self.initial[parameter.name].clone();
        Ok(self.put(parameter, value, false))
    }

    /// All of them back to what the session began with.
    pub(crate) fn reset_all(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for parameter in PARAMETERS.iter().filter(|parameter| !matches!(parameter.takes, Takes::Nothing)) {
            told.extend(self.put(parameter, self.initial[parameter.name].clone(), false));
        }
        told
    }

    /// How many changes there are, to be given to [`Self::roll_back`].
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back what was changed since a mark; what clients are to be told.
    pub(crate) fn roll_back(&mut self, mark: usize) -> Vec<Told> {
        let undo = self.undo.split_off(mark.min(self.undo.len()));
        undo.into_iter().rev().filter_map(|change| self.restore(change)).collect()
    }

    /// The transaction ends well: what was local to it is taken back.
    pub(crate) fn commit(&mut self) -> Vec<Told> {
        let undo = std::mem::take(&mut self.undo);
        // What was set for the session after it was set for the transaction stays.
        let mut stays: BTreeMap<&str, bool> = BTreeMap::new();
        let mut back = Vec::new();
        for change in undo.into_iter().rev() {
            let stays = stays.entry(change.name).or_insert(!change.local);
            if change.local && !*stays {
                back.push(change);
            } else if !change.local {
                *stays = true;
            }
        }
        back.into_iter().filter_map(|change| self.restore(change)).collect()
    }

    fn restore(&mut self, change: Change) -> Option<Told> {
        let now = self.values.insert(change.name, change.before.clone());
        let is_news = now.as_ref() != Some(&change.before);
        let told = PARAMETERS.iter().any(|parameter| parameter.name == change.name && parameter.told);
        (is_news && told).then_some((change.name, change.before))
    }

    fn put(&mut self, parameter: &Parameter, value: String, local: bool) -> Option<Told> {
        let before = self.values.insert(parameter.name, value.clone()).unwrap_or_default();
        let is_news = before != value;
        self.undo.push(Change { name: parameter.name, before, local });
        (is_news && parameter.told).then_some((parameter.name, value))
    }
}

fn find(name: &str) -> Result<&'static Parameter, SqlError> {
    let known = PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name));
    known.ok_or_else(|| {
        let what = format!("unrecognized configuration parameter \"{name}\"");
        SqlError::new(SqlState::UNDEFINED_OBJECT, what)
    })
}

/// As it is shown, from how it is kept.
fn shown(parameter: &Parameter, value: &str) -> String {
    match parameter.takes {
        Takes::Milliseconds => {
            with_unit(value, &[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")])
        }
        Takes::Kibibytes => with_unit(value, &[(1 << 30, "TB"), (1 << 20, "GB"), (1 << 10, "MB"), (1, "kB")]),
        _ => value.to_owned(),
    }
}

/// In the largest unit of which it is a whole number.
fn with_unit(value: &str, units: &[(i64, &str)]) -> String {
    let number: i64 = value.parse().unwrap_or(0);
    let fits = units.iter().find(|(size, _)| number != 0 && number % size == 0);
    fits.map_or_else(|| value.to_owned(), |(size, unit)| format!("{}{unit}", number / size))
}

fn accept(
    parameter: &Parameter,
    value: &str,
    zone: impl FnOnce(&str) -> Option<String>,
) -> Result<String, SqlError> {
    let wrong = || {
        let what = format!("invalid value for parameter \"{}\": \"{value}\"", parameter.name);
        SqlError::new(SqlState::INVALID_PARAMETER_VALUE, what)
    };
    match parameter.takes {
        Takes::Nothing => Err(fixed(parameter.name)),
        Takes::Text => Ok(value.to_owned()),
        Takes::Zone => zone(value).ok_or_else(wrong),
        Takes::Bool => boolean(value).map(|on| if on { "on" } else { "off" }.to_owned()).ok_or_else(|| {
            let what = format!("parameter \"{}\" requires a Boolean value", parameter.name);
            SqlError::new(SqlState::INVALID_PARAMETER_VALUE, what)
        }),
        Takes::OneOf(allowed) => {
            let found = allowed.iter().find(|allowed| allowed.eq_ignore_ascii_case(value));
            found.map(|found| spelt(parameter.name, found)).ok_or_else(wrong)
        }
        Takes::Int(least, most) => {
            let number: i64 = value.trim().parse().map_err(|_| wrong())?;
            in_range(parameter.name, number, least, most)
        }
        Takes::Milliseconds => {
            let units = [("us", 0.001), ("ms", 1.0), ("s", 1e3), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)];
            in_range(parameter.name, amount(value, &units).ok_or_else(wrong)?, 0, i32::MAX.into())
        }
        Takes::Kibibytes => {
            let (mega, giga) = (f64::from(1 << 10), f64::from(1 << 20));
            let units = [("B", 1.0 / 1024.0), ("kB", 1.0), ("MB", mega), ("GB", giga), ("TB", giga * 1024.0)];
            in_range(parameter.name, amount(value, &units).ok_or_else(wrong)?, 64, i32::MAX.into())
        }
    }
}

/// Spellings that mean one thing are kept as one.
fn spelt(name: &str, value: &'static str) -> String {
    match (name, value) {
        ("client_encoding", _) => "UTF8",
        ("DateStyle", "ISO" | "ISO,MDY") => "ISO, MDY",
        ("standard_conforming_strings", _) => "on",
        // There is one isolation: whatever less is asked for is given more.
        ("default_transaction_isolation" | "transaction_isolation", _) => "serializable",
        ("default_with_oids" | "transform_null_equals", _) => "off",
        (_, value) => value,
    }
    .to_owned()
}

fn in_range(name: &str, number: i64, least: i64, most: i64) -> Result<String, SqlError> {
    if (least..=most).contains(&number) {
        return Ok(number.to_string());
    }
    let what = format!("{number} is outside the valid range for parameter \"{name}\" ({least} .. {most})");
    Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, what))
}

/// A number and its unit, in the unit that is kept.
fn amount(text: &str, units: &[(&str, f64)]) -> Option<i64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim();
    let factor =
        if unit.is_empty() { 1.0 } else { units.iter().find(|(name, _)| *name == unit).map(|(_, f)| *f)? };
    let amount = (number * factor).round();
    (amount.abs() < 9e15).then_some(amount as i64)
}

/// PostgreSQL's spellings: words that begin one of these, if only one.
fn boolean(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    match value.as_str() {
        "1" => Some(true),
        "0" => Some(false),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some(true),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some(false),
        _ => None,
    }
}

fn fixed(name: &str) -> SqlError {
    // `cant_change_runtime_param`.
    SqlError::new(SqlState(*b"55P02"), format!("parameter \"{name}\" cannot be changed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(
        parameters: &mut Parameters,
        name: &str,
        value: &str,
        local: bool,
    ) -> Result<Option<Told>, SqlError> {
        parameters.set(name, value, local, |zone| (zone != "Mars").then(|| zone.to_owned()))
    }

    #[test]
    fn values_are_taken_as_postgresql_takes_them() {
        let mut parameters = Parameters::new(&[("is_superuser", "on".to_owned())]);
        for (name, value, expected) in [
            ("statement_timeout", "5s", "5s"),
            ("Statement_Timeout", "1500", "1500ms"),
            ("statement_timeout", "0", "0"),
            ("statement_timeout", "1.5min", "90s"),
            ("work_mem", "64MB", "64MB"),
            ("work_mem", "100", "100kB"),
            ("jit", "TRUE", "on"),
            ("enable_sort", "of", "off"),
            ("extra_float_digits", "3", "3"),
            ("client_encoding", "utf-8", "UTF8"),
            ("bytea_output", "ESCAPE", "escape"),
            ("transaction_isolation", "read committed", "serializable"),
            ("timezone", "Europe/Berlin", "Europe/Berlin"),
            ("search_path", "a, b", "a, b"),
        ] {
            set(&mut parameters, name, value, false).unwrap();
            assert_eq!(parameters.show(name).unwrap().1, expected, "{name} = {value}");
        }
        assert_eq!(parameters.time("statement_timeout"), Some(Duration::from_secs(90)));
        assert_eq!(parameters.show("is_superuser").unwrap().1, "on");
    }

    #[test]
    fn others_are_refused_in_postgresqls_words() {
        let mut parameters = Parameters::new(&[]);
        for (name, value, state, message) in [
            ("nope", "1", "42704", "unrecognized configuration parameter \"nope\""),
            ("jit", "maybe", "22023", "parameter \"jit\" requires a Boolean value"),
            ("jit", "o", "22023", "parameter \"jit\" requires a Boolean value"),
            (
                "client_encoding",
                "LATIN1",
                "22023",
                "invalid value for parameter \"client_encoding\": \"LATIN1\"",
            ),
            (
                "extra_float_digits",
                "9",
                "22023",
                "9 is outside the valid range for parameter \"extra_float_digits\" (-15 .. 3)",
            ),
            (
                "statement_timeout",
                "1 year",
                "22023",
                "invalid value for parameter \"statement_timeout\": \"1 year\"",
            ),
            (
                "standard_conforming_strings",
                "off",
                "22023",
                "invalid value for parameter \"standard_conforming_strings\": \"off\"",
            ),
            ("server_version", "16", "55P02", "parameter \"server_version\" cannot be changed"),
            ("TimeZone", "Mars", "22023", "invalid value for parameter \"TimeZone\": \"Mars\""),
        ] {
            let error = set(&mut parameters, name, value, false).unwrap_err();
            assert_eq!((error.state.as_str(), error.message.as_str()), (state, message));
        }
    }

    #[test]
    fn what_a_transaction_changes_goes_with_it_or_stays() {
        let mut parameters = Parameters::new(&[]);
        let told = set(&mut parameters, "application_name", "a", false).unwrap();
        assert_eq!(told, Some(("application_name", "a".to_owned())));
        parameters.settle();
        set(&mut parameters, "application_name", "b", false).unwrap();
        let mark = parameters.mark();
        set(&mut parameters, "application_name", "c", true).unwrap();
        assert_eq!(parameters.roll_back(mark), [("application_name", "b".to_owned())]);
        set(&mut parameters, "jit", "on", true).unwrap();
        set(&mut parameters, "application_name", "d", true).unwrap();
        assert_eq!(parameters.commit(), [("application_name", "b".to_owned())]);
        assert_eq!((parameters.get("jit"), parameters.get("application_name")), ("off", "b"));
        set(&mut parameters, "jit", "on", true).unwrap();
        set(&mut parameters, "jit", "on", false).unwrap();
        assert_eq!(parameters.commit(), []);
        assert_eq!(parameters.get("jit"), "on");
        parameters.reset("jit").unwrap();
        set(&mut parameters, "application_name", "e", false).unwrap();
        assert_eq!(parameters.roll_back(0), [("application_name", "b".to_owned())]);
        assert_eq!(parameters.get("jit"), "on");
        assert_eq!(parameters.reset_all(), [("application_name", "a".to_owned())]);
    }

    #[test]
    fn none_is_there_twice_and_each_initial_value_is_one_that_is_taken() {
        let lower = PARAMETERS.iter().map(|parameter| parameter.name.to_ascii_lowercase());
        let mut names: Vec<String> = lower.collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), PARAMETERS.len(), "one is there twice");
        for parameter in PARAMETERS.iter().filter(|parameter| !matches!(parameter.takes, Takes::Nothing)) {
            let taken = accept(parameter, parameter.initial, |zone| Some(zone.to_owned()));
            assert_eq!(taken.as_deref(), Ok(parameter.initial), "{}", parameter.name);
        }
    }
}
