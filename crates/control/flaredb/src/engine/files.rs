//! Which file is the database, and how another takes its place.
//!
//! A file's write-ahead log beside it would be applied to whatever bears its name, so a file is never put in another's
//! place: it gets a name of its own, and `current` says which one counts. A crash leaves the old one or the new one.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kit::Context;
use rusqlite::backup::Backup;
use xxhash_rust::xxh3::Xxh3;

use super::EngineError;
use super::open::{self, Purpose};
use super::readers::{Reader, Readers};
use crate::base::Evaluation;

/// Says which file counts.
const CURRENT: &str = "current";
/// What SQLite keeps beside a file.
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];
const CHUNK: usize = 1 << 18;
/// Of an image's end: the hash of everything before.
const HASH: usize = 8;

/// The files of one database.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    context: Context,
    dir: PathBuf,
    vfs: Option<String>,
    number: u64,
}

impl Files {
    /// Finds the file that counts; the first one, in a new directory.
    pub(crate) fn open(context: &Context, dir: &Path, vfs: Option<String>) -> Result<Self, EngineError> {
        let disk = context.disk();
        disk.create_dir_all(dir).map_err(|e| EngineError::File(dir.to_owned(), e))?;
        let number = counted(context, dir)?;
        let files = Self { context: context.clone(), dir: dir.to_owned(), vfs, number };
        files.tidy()?;
        Ok(files)
    }

    /// As they are now: another file may have taken the place of the one that counted.
    pub(crate) fn latest(&self) -> Result<Self, EngineError> {
        let number = counted(&self.context, &self.dir)?;
        Ok(Self { number, ..self.clone() })
    }

    /// How long the write-ahead log beside the file is.
    pub(crate) fn log_bytes(&self) -> Result<u64, EngineError> {
        let log = companion(&self.current(), "-wal");
        match self.context.disk().open(&log, false).and_then(|file| file.size()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            size => size.map_err(|e| EngineError::File(log, e)),
        }
    }

    /// The file that counts.
    pub(crate) fn current(&self) -> PathBuf {
        self.path(self.number)
    }

    /// Where the next one is made.
    pub(crate) fn next(&self) -> PathBuf {
        self.path(self.number + 1)
    }

    /// From now on the next one counts. It is whole, durable and closed; so is the one before closed.
    pub(crate) fn advance(&mut self) -> Result<(), EngineError> {
        let current = self.dir.join(CURRENT);
        let number = self.number + 1;
        self.context
            .write_file_atomically(&current, number.to_string().as_bytes())
            .map_err(|e| EngineError::File(current, e))?;
        self.number = number;
        self.tidy()
    }

    /// Makes everything that was committed durable. Blocks, and runs beside the writer.
    pub(crate) fn make_durable(&self) -> Result<(), EngineError> {
        make_durable(&self.context, &self.current(), self.vfs.as_deref())
    }

    /// The file system that SQLite was told of.
    pub(crate) fn vfs(&self) -> Option<&str> {
        self.vfs.as_deref()
    }

    /// An image of the database as `reader` sees it now; it is made when it is read.
    pub(crate) fn export(&self, reader: Reader, readers: Readers) -> Result<Export, EngineError> {
        reader.pin()?;
        let copy = self.dir.join(format!("state-copy-{}.db", self.context.entropy().id()));
        let making = Making { reader, readers, copy, vfs: self.vfs.clone() };
        Ok(Export { context: self.context.clone(), making: Some(making), made: None })
    }

    /// Removes what counts no more, or never did.
    pub(crate) fn tidy(&self) -> Result<(), EngineError> {
        let disk = self.context.disk();
        let failed = |e| EngineError::File(self.dir.clone(), e);
        let kept = COMPANIONS.map(|end| companion(&self.current(), end));
        for name in disk.list(&self.dir).map_err(failed)? {
            let path = self.dir.join(&name);
            if name.starts_with("state-") && !kept.contains(&path) {
                disk.remove(&path).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("state-{number}.db"))
    }
}

/// Which file counts: the first one, in a new directory.
fn counted(context: &Context, dir: &Path) -> Result<u64, EngineError> {
    let current = dir.join(CURRENT);
    match read_all(context, &current) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().parse().map_err(|_| {
            EngineError::Malformed(format!("{} does not name a file by its number", current.display()))
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(EngineError::File(current, e)),
    }
}

fn companion(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn read_all(context: &Context, path: &Path) -> io::Result<Vec<u8>> {
    let file = context.disk().open(path, false)?;
    let mut content = vec![0; usize::try_from(file.size()?.min(64)).unwrap_or(0)];
    kit::disk::read_exact_at(file.as_ref(), &mut content, 0)?;
    Ok(content)
}

/// Makes what was committed to a database durable: the log beside its file, then as much of the file as no reader
/// holds back.
pub(crate) fn make_durable(context: &Context, path: &Path, vfs: Option<&str>) -> Result<(), EngineError> {
    let log = companion(path, "-wal");
    match context.disk().open(&log, false).and_then(|file| file.sync_data()) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        synced => synced.map_err(|e| EngineError::File(log, e))?,
    }
    let upkeep = open::open(path, vfs, Purpose::Upkeep, &Evaluation::default())?;
    upkeep.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(())
}

/// An image of a database: first a copy of it is made, then its bytes are read.
pub(crate) struct Export {
    context: Context,
    making: Option<Making>,
    made: Option<Outgoing>,
}

struct Making {
    reader: Reader,
    readers: Readers,
    copy: PathBuf,
    vfs: Option<String>,
}

/// Pages copied at once.
const PAGES: i32 = 1024;

impl Making {
    /// SQLite copies what the reader's snapshot shows, whatever is written meanwhile.
    fn make(self, context: &Context) -> Result<Outgoing, EngineError> {
        let mut to = open::scratch(&self.copy, self.vfs.as_deref())?;
        Backup::new(&self.reader.connection, &mut to)?.run_to_completion(
            PAGES,
            std::time::Duration::ZERO,
            None,
        )?;
        drop(to);
        self.readers.give_back(self.reader);
        Outgoing::open(context, &self.copy).map_err(|e| EngineError::File(self.copy, e))
    }
}

impl Read for Export {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(making) = self.making.take() {
            self.made = Some(making.make(&self.context)?);
        }
        match &mut self.made {
            Some(made) => made.read(buffer),
            None => Err(io::Error::other("the copy of the database failed before")),
        }
    }
}

/// A file as an image: its bytes and their hash. The file goes with it.
struct Outgoing {
    context: Context,
    path: PathBuf,
    file: Box<dyn kit::disk::File>,
    offset: u64,
    hasher: Xxh3,
    tail: Option<Vec<u8>>,
}

impl Outgoing {
    /// Of a file that nobody writes any more.
    fn open(context: &Context, path: &Path) -> io::Result<Self> {
        let file = context.disk().open(path, false)?;
        let (context, path) = (context.clone(), path.to_owned());
        Ok(Self { context, path, file, offset: 0, hasher: Xxh3::new(), tail: None })
    }
}

impl Read for Outgoing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(tail) = &mut self.tail {
            let size = tail.len().min(buffer.len());
            buffer[..size].copy_from_slice(&tail[..size]);
            tail.drain(..size);
            return Ok(size);
        }
        match self.file.read_at(buffer, self.offset)? {
            0 if !buffer.is_empty() => {
                self.tail = Some(self.hasher.digest().to_le_bytes().to_vec());
                self.read(buffer)
            }
            size => {
                self.hasher.update(&buffer[..size]);
                self.offset += size as u64;
                Ok(size)
            }
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // A copy that stays is removed at the next start.
        if let Err(e) = self.context.disk().remove(&self.path) {
            tracing::debug!(error = %e, path = %self.path.display(), "the copy of an image stays");
        }
    }
}

/// Writes an image into a file, durably. An image that is cut short or changed is an error.
pub(crate) fn receive(context: &Context, image: &mut dyn Read, path: &Path) -> io::Result<()> {
    let file = context.disk().open(path, true)?;
    file.set_size(0)?;
    let (mut hasher, mut offset) = (Xxh3::new(), 0u64);
    let (mut held, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let size = image.read(&mut chunk)?;
        held.extend_from_slice(&chunk[..size]);
        // The last bytes are not the file's.
        let ready = held.len().saturating_sub(HASH);
        hasher.update(&held[..ready]);
        file.write_all_at(&held[..ready], offset)?;
        offset += ready as u64;
        held.drain(..ready);
        if size == 0 {
            break;
        }
    }
    if held != hasher.digest().to_le_bytes() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the image is cut short or damaged"));
    }
    file.sync_data()?;
    path.parent().map_or(Ok(()), |dir| context.disk().sync_dir(dir))
}
