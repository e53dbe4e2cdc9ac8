//! The unit files that the agent itself writes. Pure.

use std::fmt::Write as _;

use crate::agent::log_of;
use crate::node::protocol::Launch;
use crate::node::unit::{Ready, Unit};

/// A program that is not a role: it runs as root and unconfined, as on every other kind of node.
pub(super) fn foreign(unit: &Unit) -> String {
    let Unit { name, ready, policy, .. } = unit;
    let kind = match ready {
        Ready::Notify => "notify",
        Ready::Exec => "exec",
    };
    let mut text = format!("[Unit]\nDescription={name} of the lab\n");
    let _ = writeln!(text, "StartLimitIntervalSec={}", seconds(policy.limit_interval));
    let _ = writeln!(text, "StartLimitBurst={}\n\n[Service]\nType={kind}", policy.limit_burst);
    let _ = writeln!(text, "ExecStart={}", command(&unit.argv));
    for (key, value) in &unit.env {
        let _ = writeln!(text, "Environment={}", quoted(&format!("{key}={value}")));
    }
    let _ = writeln!(text, "Restart=on-failure\nRestartSec={}", seconds(policy.restart));
    let _ =
        writeln!(text, "TimeoutStartSec={}\nTimeoutStopSec={}", seconds(policy.start), seconds(policy.stop));
    let _ = writeln!(text, "StandardOutput=append:{}\nStandardError=inherit", log_of(name));
    text
}

/// What changes when a service is started in a special way. A wrapper may do what the service may not.
pub(super) fn launch(unit: &Unit, how: &Launch) -> String {
    let mut text = String::from("[Service]\n");
    for (key, value) in &how.env {
        let _ = writeln!(text, "Environment={}", quoted(&format!("{key}={value}")));
    }
    if !how.wrapper.is_empty() {
        let argv: Vec<String> = how.wrapper.iter().chain(&unit.argv).cloned().collect();
        let _ = writeln!(text, "ExecStart=\nExecStart={}", command(&argv));
        text.push_str("SystemCallFilter=\nNotifyAccess=all\n");
    }
    text
}

/// Whole seconds or with milliseconds, as systemd.time(7) has it.
pub(crate) fn seconds(time: std::time::Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn command(argv: &[String]) -> String {
    // In a command, unlike in an assignment, a dollar begins a variable.
    argv.iter().map(|word| quoted(&word.replace('$', "$$"))).collect::<Vec<_>>().join(" ")
}

/// A word of a unit file (systemd.syntax(7)): quoted, and nothing in it means anything.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '%' => text.push_str("%%"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles;

    #[test]
    fn nothing_in_a_word_means_anything_to_systemd() {
        let word = r#"a "b" \ 50% $HOME"#.to_owned();
        assert_eq!(quoted(&word), r#""a \"b\" \\ 50%% $HOME""#);
        assert_eq!(command(&[word]), r#""a \"b\" \\ 50%% $$HOME""#);
    }

    #[test]
    fn a_wrapper_comes_before_the_service_and_replaces_its_command() {
        let text = launch(&roles::unit("chainfire"), &Launch::failing_fsync(3));
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|l| *l == "ExecStart=").unwrap();
        assert!(lines[at + 1].starts_with("ExecStart=\"strace\" "), "{text}");
        assert!(lines[at + 1].ends_with("\"--config\" \"/etc/ultracloud/chainfire/config.toml\""), "{text}");
    }
}
