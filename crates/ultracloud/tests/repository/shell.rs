//! The shell scripts: they parse, they stop at the first error, they can be run.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tree::{assert_none, files, root, short, text};

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "sh")
        || path.extension().is_none() && text(path).starts_with("#!/usr/bin/env bash\n")
}

fn scripts() -> Vec<PathBuf> {
    files(root(), &is_script)
}

#[test]
fn every_script_parses() {
    let scripts = scripts();
    assert!(scripts.len() >= 5, "the scripts were not found: {scripts:?}");
    let wrong: Vec<String> = scripts
        .iter()
        .filter_map(|script| {
            let output = Command::new("bash").arg("-n").arg(script).output().expect("bash");
            (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
        })
        .collect();
    assert_none(&wrong);
}

#[test]
fn a_script_can_be_run_and_stops_at_the_first_error() {
    let mut wrong = Vec::new();
    for script in scripts().iter().filter(|script| script.extension().is_none()) {
        let content = text(script);
        if script.metadata().expect("a file").permissions().mode() & 0o111 == 0 {
            wrong.push(format!("{} is not executable", short(script)));
        }
        if !content.contains("\nset -euo pipefail\n") && !content.contains(" && exec ") {
            wrong.push(format!("{} does not stop at an error: `set -euo pipefail`", short(script)));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_host_package_says_why() {
    let list = text(&root().join("host-packages.txt"));
    let packages = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let silent: Vec<String> = packages
        .filter(|line| !line.contains(" # "))
        .map(|line| format!("host-packages.txt: {line}"))
        .collect();
    assert_none(&silent);
}
