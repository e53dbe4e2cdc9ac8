//! Tells the binary which commit it was built from, without running git: a source archive has none.

use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=ULTRACLOUD_COMMIT");
    let given = std::env::var("ULTRACLOUD_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| head(&git_dir()?)).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=ULTRACLOUD_COMMIT={commit}");
}

/// `.git` of the checkout, which in a linked work tree is a file that names the folder.
fn git_dir() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?.join(".git");
    if path.is_dir() {
        return Some(path);
    }
    let text = fs::read_to_string(&path).ok()?;
    Some(path.parent()?.join(text.strip_prefix("gitdir: ")?.trim()))
}

fn head(git: &Path) -> Option<String> {
    let head = read(&git.join("HEAD"))?;
    let Some(reference) = head.strip_prefix("ref: ") else { return Some(head) };
    // References of a linked work tree lie with those of the main one.
    let common = read(&git.join("commondir")).map_or_else(|| git.to_owned(), |dir| git.join(dir));
    read(&common.join(reference)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        packed.lines().find_map(|line| line.strip_suffix(reference)).map(|hash| hash.trim().to_owned())
    })
}

/// The trimmed text of a file that the build then depends on.
fn read(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    println!("cargo::rerun-if-changed={}", path.display());
    Some(text.trim().to_owned())
}
