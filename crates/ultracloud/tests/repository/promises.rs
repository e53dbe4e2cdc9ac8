//! Every promise in SPECIFICATION.md names its proof, and the proof exists.
//!
//! A promise is a row of a table whose columns are `promise` and `proof`. A proof is one of
//! - `test PATH.rs::NAME` or `test CRATE::MODULE::NAME`: a function in the sources,
//! - `lane LANE: CHECK`: a lane and a named check of the harness,
//! - `script PATH: CHECK`: a check that an executable script makes,
//! - `bench WHAT: ROW`: a row of a benchmark's table,
//! - `pending`, and why.
//!
//! Several proofs of one promise are separated by semicolons.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::tree::{assert_none, files, root, text};

struct Promise {
    text: String,
    proof: String,
}

fn promises(markdown: &str) -> Vec<Promise> {
    let mut found = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let mut counts = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Text(part) | Event::Code(part) => cell.push_str(&part),
            Event::SoftBreak | Event::HardBreak => cell.push(' '),
            Event::Start(Tag::TableCell) => cell.clear(),
            Event::End(TagEnd::TableCell) => row.push(cell.trim().to_owned()),
            Event::End(TagEnd::TableHead) => {
                counts = row == ["promise", "proof"];
                row.clear();
            }
            Event::End(TagEnd::TableRow) => {
                if let (true, [text, proof]) = (counts, &row[..]) {
                    found.push(Promise { text: text.clone(), proof: proof.clone() });
                }
                row.clear();
            }
            _ => {}
        }
    }
    found
}

/// Says what is wrong with one proof.
fn fault(proof: &str) -> Result<(), String> {
    let (kind, rest) = proof.split_once(' ').unwrap_or((proof, ""));
    match kind.trim_end_matches(':') {
        "pending" => Ok(()),
        "test" => test_exists(rest),
        "lane" => literals_exist(Path::new("crates/lab/src"), rest),
        "bench" => literals_exist(Path::new("bench/src"), rest),
        "script" => check_exists(rest),
        _ => Err("it is no test, lane, script, bench or `pending`".into()),
    }
}

fn test_exists(path: &str) -> Result<(), String> {
    let (place, name) =
        path.rsplit_once("::").ok_or("a test is named PATH.rs::NAME or CRATE::MODULE::NAME")?;
    let function = format!("fn {name}(");
    let holds = |file: &Path| text(file).contains(&function);
    let found = if place.ends_with(".rs") {
        root().join(place).is_file() && holds(&root().join(place))
    } else {
        let modules: Vec<&str> = place.split("::").filter(|part| *part != "tests").collect();
        rust_files(Path::new("crates"))
            .iter()
            .chain(&rust_files(Path::new("bench")))
            .any(|file| modules.iter().all(|module| names(file, module)) && holds(file))
    };
    if found { Ok(()) } else { Err(format!("no test {name} in {place}")) }
}

/// Whether a folder or the file itself is called `module`.
fn names(file: &Path, module: &str) -> bool {
    let inside = file.strip_prefix(root()).unwrap_or(file);
    inside.with_extension("").iter().any(|part| part == module)
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    files(&root().join(folder), &|path| path.extension().is_some_and(|e| e == "rs"))
}

/// `GROUP: ITEM`, both of them string literals somewhere in the sources of `folder`.
fn literals_exist(folder: &Path, named: &str) -> Result<(), String> {
    let (group, item) = named.split_once(": ").ok_or("it is named GROUP: ITEM")?;
    for wanted in [group, item] {
        let literal = format!("\"{wanted}\"");
        if !rust_files(folder).iter().any(|file| text(file).contains(&literal)) {
            return Err(format!("nothing in {} is called {literal}", folder.display()));
        }
    }
    Ok(())
}

fn check_exists(named: &str) -> Result<(), String> {
    let (script, check) = named.split_once(": ").ok_or("it is named PATH: CHECK")?;
    let path = root().join(script);
    let executable = path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0);
    if !executable {
        return Err(format!("{script} is no executable script"));
    }
    // A long script keeps its checks in files beside it.
    let beside = path.with_extension("d");
    let parts = if beside.is_dir() { files(&beside, &|_| true) } else { Vec::new() };
    let literal = format!("\"{check}\"");
    if std::iter::once(&path).chain(&parts).any(|part| text(part).contains(&literal)) {
        Ok(())
    } else {
        Err(format!("{script} has no check \"{check}\""))
    }
}

#[test]
fn every_promise_names_a_proof_that_exists() {
    let promises = promises(&text(&root().join("SPECIFICATION.md")));
    assert!(promises.len() > 10, "the tables were not found: {} promises", promises.len());
    let mut wrong = Vec::new();
    for promise in &promises {
        for proof in promise.proof.split(';').map(str::trim) {
            if let Err(why) = fault(proof) {
                wrong.push(format!("SPECIFICATION.md: “{}”: `{proof}`: {why}", promise.text));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_proof_that_does_not_exist_is_noticed() {
    let own = "crates/ultracloud/tests/repository/promises.rs";
    assert_eq!(fault(&format!("test {own}::a_proof_that_does_not_exist_is_noticed")), Ok(()));
    assert_eq!(fault("test ultracloud::promises::a_proof_that_does_not_exist_is_noticed"), Ok(()));
    assert_eq!(fault("pending: there is no such server yet"), Ok(()));
    for missing in [
        &format!("test {own}::no_such_test"),
        "test ultracloud::promises::no_such_test",
        "test kit::promises::a_proof_that_does_not_exist_is_noticed",
        "lane no-such-lane: no such check",
        "script scripts/etcd-clients: no such check",
        "believe me",
        "",
    ] {
        assert!(fault(missing).is_err(), "{missing:?} was accepted");
    }
}

#[test]
fn only_tables_of_promises_count() {
    let found = promises(
        "| a | b |\n|---|---|\n| x | y |\n\n| promise | proof |\n|---|---|\n| p `q` | `test a.rs::b` |\n",
    );
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].text.as_str(), found[0].proof.as_str()), ("p q", "test a.rs::b"));
}
