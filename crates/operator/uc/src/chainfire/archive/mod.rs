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

/// A file that is there when it is whole.
struct Whole {
    draft: PathBuf,
    path: PathBuf,
    out: BufWriter<File>,
}

impl Whole {
    /// Refuses to replace a file.
    fn create(path: &Path) -> anyhow::Result<Self> {
        anyhow::ensure!(!path.exists(), "{} exists: choose another name, or remove it", path.display());
        let mut name = path.file_name().context("the file needs a name")?.to_owned();
        name.push(".part");
        let draft = path.with_file_name(name);
        let file = File::create(&draft).with_context(|| format!("cannot create {}", draft.display()))?;
        Ok(Self { draft, path: path.to_owned(), out: BufWriter::with_capacity(1 << 20, file) })
    }

    /// Makes it durable under its name.
    fn finish(self) -> anyhow::Result<()> {
        let Self { draft, path, out } = self;
        let durable = || -> io::Result<()> {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
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
