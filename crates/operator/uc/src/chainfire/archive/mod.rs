//! `uc chainfire backup`, `export`, `import`: what a cluster holds, into a file and back.
//!
//! A backup is physical: the server's image with all its history, for `ultracloud chainfire restore`. An export is
//! logical: the keys of one revision as lines of JSON, for any cluster that speaks etcd, this one too. Both are made
//! while the cluster goes on, both end in a hash, and neither takes its final name before all of it is on disk.

mod backup;
mod export;
mod import;
mod lines;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub(crate) use backup::{Backup, run as backup};
pub(crate) use export::{Export, run as export};
pub(crate) use import::{Import, run as import};

/// A file that is there when it is whole. What was given up leaves nothing behind.
struct Whole {
    draft: Draft,
    path: PathBuf,
    out: BufWriter<File>,
}

/// Removed when it is dropped; by then it has another name, or is of no use.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Whole {
    /// Refuses to replace a file.
    fn create(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(!path.exists(), "{} exists: choose another name, or remove it", path.display());
        let mut name = path.file_name().context("the file needs a name")?.to_owned();
        // Another run may be writing the same file.
        name.push(format!(".{}.part", std::process::id()));
        let draft = path.with_file_name(name);
        let file = File::create_new(&draft).with_context(|| format!("cannot create {}", draft.display()))?;
        Ok(Self { draft: Draft(draft), path: path.to_owned(), out: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Makes it durable under its name.
    fn finish(self) -> anyhow::Result<()> {
        let Self { draft, path, out } = self;
        let durable = || -> io::Result<()> {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            // Unlike a rename, this replaces nothing that has come meanwhile.
            fs::hard_link(&draft.0, &path)?;
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(dir)?.sync_all()
        };
        durable().with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a directory");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keys");
        drop(Whole::create(&path).expect("created"));
        assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
        let mut whole = Whole::create(&path).expect("created");
        whole.write_all(b"all").expect("written");
        whole.finish().expect("finished");
        assert_eq!(names(dir.path()), ["keys"]);
        assert!(Whole::create(&path).is_err());
        let other = dir.path().join("other");
        let late = Whole::create(&other).expect("created");
        fs::write(&other, "first").expect("written");
        assert!(late.finish().is_err());
        assert_eq!(fs::read(&other).expect("read"), b"first");
    }
}
