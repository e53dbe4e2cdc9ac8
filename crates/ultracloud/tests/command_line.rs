//! The binary as an operator meets it: what it prints where, and the status it ends with.

use std::path::Path;
use std::process::{Command, Output};

fn ultracloud(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ultracloud")).args(arguments).output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The least that a configuration must say.
const CONFIG: &str = r#"
name = "node01"
data_dir = "/var/lib/ultracloud/chainfire"
cluster_token = "test"
[[initial_members]]
name = "node01"
peer = "127.0.0.1:2380"
[client]
listen = "127.0.0.1:2379"
advertise = ["https://127.0.0.1:2379"]
allow = ["operator/*"]
[peer]
listen = "127.0.0.1:2380"
advertise = "127.0.0.1:2380"
allow = ["node/*/chainfire"]
[admin]
listen = "127.0.0.1:2381"
allow = ["operator/*"]
[tls]
cert = "cert.pem"
key = "key.pem"
ca = "ca.pem"
"#;

fn write(dir: &Path, text: &str) -> String {
    let file = dir.join("chainfire.toml");
    std::fs::write(&file, text).expect("a temporary directory can be written");
    file.display().to_string()
}

#[test]
fn a_wrong_command_line_ends_with_64_and_help_with_0() {
    for wrong in [&["no-such-verb"][..], &["run"], &["run", "no-such-role"], &[]] {
        assert_eq!(ultracloud(wrong).status.code(), Some(64), "{wrong:?}");
    }
    let help = ultracloud(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("Examples:"));
}

#[test]
fn a_typo_in_the_configuration_is_named_with_its_place_and_its_cure() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = write(dir.path(), &CONFIG.replace("data_dir", "data_dri"));
    for verb in [&["config", "check", "chainfire", &file][..], &["run", "chainfire", "--config", &file]] {
        let output = ultracloud(verb);
        assert_eq!(output.status.code(), Some(78), "{verb:?}");
        let said = stderr(&output);
        assert!(
            said.contains(&format!("{file}:3:1")) && said.contains("did you mean \"data_dir\"?"),
            "{said}"
        );
    }
}

#[test]
fn a_missing_configuration_is_named() {
    let output = ultracloud(&["run", "chainfire", "--config", "/nonexistent/chainfire.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("/nonexistent/chainfire.toml"));
}

#[test]
fn a_good_configuration_is_accepted_and_its_dump_is_one_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = write(dir.path(), CONFIG);
    let check = ultracloud(&["config", "check", "chainfire", &file]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let dump = ultracloud(&["config", "dump", "chainfire", &file]);
    assert!(stdout(&dump).contains("[raft]"), "the defaults are missing: {}", stdout(&dump));
    assert_eq!(dump.stdout, ultracloud(&["run", "chainfire", "--config", &file, "--dump-config"]).stdout);
    let again = write(dir.path(), &stdout(&dump));
    assert_eq!(ultracloud(&["config", "check", "chainfire", &again]).status.code(), Some(0));
}

#[test]
fn the_version_names_the_commit_and_the_formats() {
    let output = ultracloud(&["version", "--json"]);
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["commit"].as_str().is_some_and(|commit| !commit.is_empty()));
    assert!(version["formats"].as_object().is_some_and(|formats| !formats.is_empty()));
}

#[test]
fn a_backup_that_is_none_is_refused_with_the_status_of_damage() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("backup");
    std::fs::write(&file, "nothing").expect("written");
    let output = ultracloud(&["chainfire", "verify-backup", &file.display().to_string()]);
    assert_eq!(output.status.code(), Some(74), "{}", stderr(&output));
    assert!(output.stdout.is_empty() && stderr(&output).contains("it ends too early"), "{}", stderr(&output));
}

#[test]
fn a_lost_quorum_is_not_recovered_by_accident() {
    let output = ultracloud(&["chainfire", "recover-quorum", "--config", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("--i-know-that-acknowledged-writes-may-be-lost"), "{}", stderr(&output));
}
