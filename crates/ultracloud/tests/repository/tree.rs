//! The files of the checkout.

use std::fs;
use std::path::{Path, PathBuf};

/// What is made, not written.
const NOT_OURS: &[&str] = &[".git", "target", "work"];
/// What is made below, and inputs of programs.
const NOT_TEXT: &[&str] = &["fuzz/target", "fuzz/artifacts", "fuzz/corpus", "fuzz/seeds"];

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this crate lies two folders deep")
}

/// Every file below `dir` for which `wanted` holds, sorted.
pub(crate) fn files(dir: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(dir, wanted, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let top = path.parent() == Some(root());
        let made = top && NOT_OURS.iter().any(|name| path.ends_with(name));
        if path.is_symlink() || made || NOT_TEXT.iter().any(|name| path == root().join(name)) {
            continue;
        }
        match path.is_dir() {
            true => collect(&path, wanted, found),
            false if wanted(&path) => found.push(path),
            false => {}
        }
    }
}

/// The text of a file; what is not UTF-8 is shown as such.
pub(crate) fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .into_owned()
}

/// A path as a person names it.
pub(crate) fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with every complaint, one a line.
#[track_caller]
pub(crate) fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
