//! The binary as an operator meets it: what it prints where, and the status it ends with.

use std::process::{Command, Output};

/// `uc` without anything from this process's environment that would tell it of a cluster.
fn uc(arguments: &[&str]) -> Output {
    let inherited = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("ETCDCTL_") || name.starts_with("UC_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_uc"));
    inherited.for_each(|name| {
        command.env_remove(name);
    });
    command.args(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_is_data_and_has_examples() {
    for arguments in
        [&["--help"][..], &["chainfire", "member", "plan", "--help"], &["chainfire", "verify", "--help"]]
    {
        let output = uc(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(stdout(&output).contains("Example"), "{arguments:?}: {}", stdout(&output));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_wrong_command_line_ends_with_its_own_status_and_names_what_was_meant() {
    let output = uc(&["chainfire", "statsu"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("'status'"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn an_endpoint_that_does_not_answer_is_a_complaint_with_status_one() {
    // Port 1 of the loopback: nobody listens there.
    let output = uc(&["--endpoints", "http://127.0.0.1:1", "chainfire", "status"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(stderr(&output).contains("http://127.0.0.1:1"), "{}", stderr(&output));
}

#[test]
fn without_an_endpoint_it_says_where_to_get_one() {
    let output = uc(&["chainfire", "status"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("./cluster env"), "{}", stderr(&output));
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let output = uc(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("chainfire"), "{shell}");
    }
}
