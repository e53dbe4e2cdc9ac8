//! The repository speaks of itself, to anyone: no place it was written in, no mirror it was fetched from.

use std::path::Path;

use crate::tree::{assert_none, files, root, short, text};

/// Split, so that this list does not find itself.
const NOT_HERE: &[&[&str]] = &[
    &["TO", "DO"],
    &["FIX", "ME"],
    &["before", "-stop"],
    &["as an", " AI"],
    &["language", " model"],
    &["this", " session"],
    &["deb.", "debian.org"],
    &["index.", "crates.io"],
    &["static.", "crates.io"],
];

/// Folders of a machine, not of the checkout.
const FOREIGN_ROOTS: &[&[&str]] = &[&["/wo", "rk/"], &["/ro", "ot/"]];

/// What is written by a tool, or is not text of ours.
fn is_ours(path: &Path) -> bool {
    let kept = ["rs", "md", "toml", "sh", "txt", "proto", "svg", "yml", "yaml"];
    match path.extension().and_then(|e| e.to_str()) {
        Some(extension) => kept.contains(&extension),
        None => !path.to_string_lossy().contains("LICENSE"),
    }
}

fn complaints(name: &str, content: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in content.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        for word in NOT_HERE.iter().map(|parts| parts.concat()).filter(|word| line.contains(word)) {
            found.push(format!("{place}: “{word}”"));
        }
        for path in FOREIGN_ROOTS.iter().map(|parts| parts.concat()).filter(|path| is_absolute(line, path)) {
            found.push(format!("{place}: a path under {path}"));
        }
    }
    found
}

/// Whether `path` stands in `line` with nothing before it that makes it relative.
fn is_absolute(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '}' | '-' | '~' | '*' | '>'))
    })
}

#[test]
fn the_repository_speaks_of_itself() {
    let mut wrong = Vec::new();
    for path in files(root(), &is_ours) {
        wrong.extend(complaints(&short(&path), &text(&path)));
    }
    assert_none(&wrong);
}

#[test]
fn a_foreign_word_is_noticed() {
    let line = |parts: &[&str]| parts.concat();
    assert_eq!(complaints("a", &line(&["// ", "TO", "DO later"])).len(), 1);
    assert_eq!(complaints("a", &line(&["see /wo", "rk/main/x"])).len(), 1);
    assert!(complaints("a", &line(&["${root}/wo", "rk/lane and ./wo", "rk/x"])).is_empty());
}
