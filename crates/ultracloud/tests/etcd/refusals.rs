//! What is refused, in etcd's words and with its exit codes.

use crate::member::ended;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn what_is_no_flag_ends_with_2_and_the_usage() {
    let dir = tempfile::tempdir().unwrap();
    let output = ended(dir.path(), &["--nope"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("flag provided but not defined: -nope\nUsage:"), "{said}");
}

#[test]
fn flags_that_contradict_each_other_end_with_1_and_one_line_of_etcds_log() {
    let dir = tempfile::tempdir().unwrap();
    let output = ended(dir.path(), &["-listen-client-urls", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["level"], "warn");
    assert_eq!(line["msg"], "failed to verify flags");
    let why = "--advertise-client-urls is required when --listen-client-urls is set explicitly";
    assert_eq!(line["error"], why);
    assert!(!dir.path().join("default.etcd").exists());
}

#[test]
fn help_and_version_are_no_error_and_go_to_stdout() {
    let dir = tempfile::tempdir().unwrap();
    for (flag, part) in
        [("--version", "etcd Version: 3.5."), ("-h", "--initial-cluster-token 'etcd-cluster'")]
    {
        let output = ended(dir.path(), &[flag]);
        assert!(output.status.success() && output.stderr.is_empty(), "{flag}: {}", text(&output.stderr));
        assert!(text(&output.stdout).contains(part), "{flag}");
    }
}

#[test]
fn the_verb_does_as_the_name_does() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ultracloud"));
    let output = command.args(["etcd", "--version"]).output().unwrap();
    assert!(text(&output.stdout).starts_with("etcd Version: 3.5."), "{}", text(&output.stderr));
}
