//! Where the store's files are: the machine's file system, or the disk of a simulation.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use kit::Context;
use kit::context::Mode;
use kit::disk::{Disk, File, RealDisk, read_exact_at};
use kit::sabotage::Sabotage;
use redb::{Builder, Database, DatabaseError, StorageBackend, StorageError};

/// The place of one store.
#[derive(Clone)]
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    mode: Mode,
    pub(super) sabotage: Sabotage,
}

impl Files {
    pub(super) fn of(context: &Context) -> Self {
        Self { disk: context.disk().clone(), mode: context.mode(), sabotage: context.sabotage() }
    }

    pub(super) fn real() -> Self {
        Self { disk: Arc::new(RealDisk), mode: Mode::Real, sabotage: Sabotage::default() }
    }

    pub(super) fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }

    /// Opens or creates a database. Its name is durable before anything in it can be.
    pub(super) fn database(&self, builder: &Builder, path: &Path) -> Result<Database, DatabaseError> {
        let database = match self.mode {
            // The database's own files also keep other processes out.
            Mode::Real => builder.create(path)?,
            Mode::Simulated => {
                builder.create_with_backend(Backend(self.disk.open(path, true).map_err(bad)?))?
            }
        };
        self.sync_names(path).map_err(bad)?;
        Ok(database)
    }

    /// Removes a file, if there is one.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Moves a file over another one, durably.
    pub(super) fn replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)?;
        self.sync_names(to)
    }

    /// How many bytes of the disk a file takes. Holes, which the database makes when it grows, take none.
    pub(super) fn allocated(&self, path: &Path) -> io::Result<u64> {
        match self.mode {
            // In units of 512 bytes, whatever the file system's own blocks are.
            Mode::Real => Ok(std::fs::metadata(path)?.blocks() * 512),
            Mode::Simulated => self.disk.open(path, false)?.size(),
        }
    }

    /// How many bytes more fit beside a file; a simulated disk does not tell.
    pub(super) fn room_beside(&self, path: &Path) -> io::Result<u64> {
        match self.mode {
            Mode::Real => {
                let system = rustix::fs::statvfs(path.parent().unwrap_or(Path::new(".")))?;
                Ok(system.f_bavail.saturating_mul(system.f_frsize))
            }
            Mode::Simulated => Ok(u64::MAX),
        }
    }

    fn sync_names(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

fn bad(e: io::Error) -> DatabaseError {
    DatabaseError::Storage(StorageError::Io(e))
}

/// A file of a simulated disk, as the database wants it.
struct Backend(Box<dyn File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read_exact_at(self.0.as_ref(), out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_size(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Backend")
    }
}
