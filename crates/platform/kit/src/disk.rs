//! Files, as a log or a store needs them: positioned reads and writes, and an honest sync.
//!
//! Calls block. They belong on a [`crate::worker`] or in [`crate::Context::blocking`]. A name
//! (created, renamed, removed) is durable only after [`Disk::sync_dir`] on its directory.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A place that holds files: the machine's file system, or a simulated one that forgets what was
/// not synced when it crashes.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing; with `create`, makes it when it is missing.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn File>>;
    /// Makes a directory and its parents.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names of the files in a directory, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Moves a file over another one, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Positions are absolute; there is no cursor to share.
pub trait File: Send + Sync {
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `data`, growing the file if need be.
    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()>;
    /// Makes written data durable (fdatasync). After an error nothing may be assumed of the file.
    fn sync_data(&self) -> io::Result<()>;
    /// The length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with a hole.
    fn set_size(&self, size: u64) -> io::Result<()>;
    /// Keeps other processes out for as long as this file is open; `WouldBlock` if one was first.
    fn try_lock(&self) -> io::Result<()>;
}

/// Reads exactly `buffer.len()` bytes, or says where the file ended.
pub fn read_exact_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let wanted = buffer.len();
    match file.read_at(buffer, offset)? {
        n if n == wanted => Ok(()),
        n => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("wanted {wanted} bytes at offset {offset}, the file holds {n} there"),
        )),
    }
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create(create).truncate(false).open(path)?;
        Ok(Box::new(file))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
}

impl File for fs::File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match FileExt::read_at(self, &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, data, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.set_len(size)
    }

    fn try_lock(&self) -> io::Result<()> {
        Ok(fs::File::try_lock(self)?)
    }
}
