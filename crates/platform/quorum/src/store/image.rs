//! Images of a state machine on their way to a replica that the log no longer reaches.
//!
//! The sender writes an image to a file once and keeps it while it is wanted, the receiver keeps
//! what has arrived: a broken connection costs the missing part, not the whole. Nothing here
//! survives a restart; both sides begin anew with an empty directory.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use kit::Context;
use kit::disk::{Disk, File};

use crate::wal::GroupLog;
use crate::wire::{Position, proto};

const COPY_BYTES: usize = 256 << 10;

/// A snapshot's data, as the engine carries it around.
pub(crate) struct Image(pub(crate) ImageSource);

pub(crate) enum ImageSource {
    /// The engine only wanted to know how far the state is durable.
    None,
    /// The state machine's own view, not yet in a file.
    Export(Box<dyn Read + Send>),
    /// A complete file.
    Spool(Arc<Spool>),
}

impl Image {
    pub(crate) fn none() -> Self {
        Self(ImageSource::None)
    }

    pub(crate) fn export(reader: Box<dyn Read + Send>) -> Self {
        Self(ImageSource::Export(reader))
    }

    pub(crate) fn spooled(spool: Arc<Spool>) -> Self {
        Self(ImageSource::Spool(spool))
    }

    pub(crate) fn into_reader(self) -> io::Result<Box<dyn Read + Send>> {
        match self.0 {
            ImageSource::None => Err(io::Error::other("a snapshot without data was to be installed")),
            ImageSource::Export(reader) => Ok(reader),
            ImageSource::Spool(spool) => Ok(Box::new(SpoolReader { spool, at: 0 })),
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ImageSource::None => "no image",
            ImageSource::Export(_) => "export",
            ImageSource::Spool(_) => "spooled image",
        })
    }
}

/// An image in a file, removed with the last handle.
pub(crate) struct Spool {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn File>,
    pub(crate) size: u64,
    pub(crate) crc32c: u32,
}

impl Spool {
    /// Reads up to `length` bytes at `offset`; empty at the end.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = self.size.saturating_sub(offset).min(length as u64);
        let mut buffer = vec![0; usize::try_from(left).map_err(io::Error::other)?];
        kit::disk::read_exact_at(self.file.as_ref(), &mut buffer, offset)?;
        Ok(buffer)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // A file that stays behind is removed at the next start.
        let _ = self.disk.remove(&self.path);
    }
}

struct SpoolReader {
    spool: Arc<Spool>,
    at: u64,
}

impl Read for SpoolReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let part = self.spool.read(self.at, buffer.len())?;
        buffer[..part.len()].copy_from_slice(&part);
        self.at += part.len() as u64;
        Ok(part.len())
    }
}

/// The images of one group, outgoing and incoming.
pub(crate) struct ImageStore {
    context: Context,
    dir: PathBuf,
    log: GroupLog,
    outgoing: Mutex<Option<(Position, Arc<Spool>)>>,
    incoming: Mutex<Option<Incoming>>,
}

/// What identifies an incoming image: the state it holds and its exact bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ImageKey {
    pub(crate) position: Position,
    pub(crate) size: u64,
    pub(crate) crc32c: u32,
}

struct Incoming {
    key: ImageKey,
    spool: Spool,
    received: u64,
    crc: u32,
}

/// Why an incoming image is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("a part at offset {got} of an image that continues at {expected}")]
    Misplaced { expected: u64, got: u64 },
    #[error("a damaged part at offset {0}")]
    DamagedPart(u64),
    #[error("a part beyond the announced size of {0} bytes")]
    TooLong(u64),
    #[error("the image ends at {received} of {size} bytes")]
    Short { received: u64, size: u64 },
    #[error("the image does not have the announced checksum")]
    Damaged,
    #[error("no image is being received; ask for the offset first")]
    Unannounced,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ImageStore {
    /// Empties the directory: what is in it belongs to an earlier life.
    pub(crate) fn open(context: &Context, dir: PathBuf, log: GroupLog) -> io::Result<Arc<Self>> {
        let disk = context.disk();
        disk.create_dir_all(&dir)?;
        for name in disk.list(&dir)? {
            disk.remove(&dir.join(name))?;
        }
        let (outgoing, incoming) = (Mutex::new(None), Mutex::new(None));
        Ok(Arc::new(Self { context: context.clone(), dir, log, outgoing, incoming }))
    }

    /// An image that is already in a file, if the log continues right where it ends.
    pub(crate) fn reusable(&self) -> Option<(Position, Arc<Spool>)> {
        let mut outgoing = lock(&self.outgoing);
        let purged = self.log.state().purged.map_or(0, |m| m.index);
        if outgoing.as_ref().is_some_and(|(p, _)| p.applied.map_or(0, |id| id.index()) < purged) {
            *outgoing = None;
        }
        outgoing.clone()
    }

    /// Forgets the outgoing image: its receiver has it.
    pub(crate) fn delivered(&self) {
        *lock(&self.outgoing) = None;
    }

    /// Says why an image did not arrive: the engine only tries again, for as long as it takes.
    pub(crate) fn not_sent(&self, peer: u64, why: &dyn fmt::Display) {
        tracing::warn!(peer = format_args!("{peer:x}"), %why, "an image of the state did not arrive; trying again");
    }

    /// Writes an export to a file and keeps it for further attempts. Blocks.
    pub(crate) fn spool(
        &self,
        position: Position,
        mut export: Box<dyn Read + Send>,
    ) -> io::Result<Arc<Spool>> {
        let name = format!("out-{:016x}.image", self.context.entropy().id());
        let mut spool = self.create(&name)?;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let n = export.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            spool.file.write_all_at(&buffer[..n], spool.size)?;
            spool.crc32c = crc32c::crc32c_append(spool.crc32c, &buffer[..n]);
            spool.size += n as u64;
        }
        let spool = Arc::new(spool);
        *lock(&self.outgoing) = Some((position, spool.clone()));
        Ok(spool)
    }

    fn create(&self, name: &str) -> io::Result<Spool> {
        let disk = self.context.disk().clone();
        let path: PathBuf = Path::new(&self.dir).join(name);
        let file = disk.open(&path, true)?;
        file.set_size(0)?;
        Ok(Spool { disk, path, file, size: 0, crc32c: 0 })
    }

    /// How much of this image has arrived; begins a new one if it is another than before.
    pub(crate) fn offset(&self, key: ImageKey) -> io::Result<u64> {
        let mut incoming = lock(&self.incoming);
        if let Some(known) = incoming.as_ref().filter(|i| i.key == key) {
            return Ok(known.received);
        }
        *incoming = None;
        let name = format!("in-{:016x}.image", self.context.entropy().id());
        let spool = self.create(&name)?;
        *incoming = Some(Incoming { key, spool, received: 0, crc: 0 });
        Ok(0)
    }

    /// Takes one part, which must continue where the last one ended. Blocks.
    pub(crate) fn receive(&self, key: &ImageKey, part: &proto::ImageChunk) -> Result<(), ImageError> {
        let (offset, data, checksum) = (part.offset, &part.data, part.crc32c);
        let mut guard = lock(&self.incoming);
        let incoming = guard.as_mut().filter(|i| i.key == *key).ok_or(ImageError::Unannounced)?;
        if offset != incoming.received {
            return Err(ImageError::Misplaced { expected: incoming.received, got: offset });
        }
        if crc32c::crc32c(data) != checksum {
            return Err(ImageError::DamagedPart(offset));
        }
        if offset + data.len() as u64 > incoming.key.size {
            return Err(ImageError::TooLong(incoming.key.size));
        }
        incoming.spool.file.write_all_at(data, offset)?;
        incoming.crc = crc32c::crc32c_append(incoming.crc, data);
        incoming.received += data.len() as u64;
        Ok(())
    }

    /// The complete image, checked as a whole.
    pub(crate) fn complete(&self, key: &ImageKey) -> Result<(Position, Image), ImageError> {
        let mut guard = lock(&self.incoming);
        let known = guard.as_ref().filter(|i| i.key == *key).ok_or(ImageError::Unannounced)?;
        if known.received < key.size {
            return Err(ImageError::Short { received: known.received, size: key.size });
        }
        let mut incoming = guard.take().ok_or(ImageError::Unannounced)?;
        let ImageKey { position, size, crc32c } = incoming.key;
        if incoming.crc != crc32c {
            return Err(ImageError::Damaged);
        }
        incoming.spool.size = size;
        incoming.spool.crc32c = crc32c;
        Ok((position, Image::spooled(Arc::new(incoming.spool))))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{Wal, WalOptions};

    async fn store(dir: &Path) -> Arc<ImageStore> {
        let context = Context::real();
        let wal = Wal::open(&context, dir.join("wal"), WalOptions::default()).await.unwrap();
        ImageStore::open(&context, dir.join("images"), wal.log(1)).unwrap()
    }

    fn key(content: &[u8]) -> ImageKey {
        let position = Position { applied: None, membership: Default::default() };
        ImageKey { position, size: content.len() as u64, crc32c: crc32c::crc32c(content) }
    }

    fn chunk(content: &[u8], offset: usize, end: usize) -> proto::ImageChunk {
        let data = content[offset..end].to_vec();
        proto::ImageChunk { offset: offset as u64, crc32c: crc32c::crc32c(&data), data: data.into() }
    }

    #[tokio::test]
    async fn an_image_resumes_where_it_broke_off() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let content: Vec<u8> = (0..1000u32).flat_map(u32::to_be_bytes).collect();
        let key = key(&content);
        assert_eq!(store.offset(key.clone()).unwrap(), 0);
        store.receive(&key, &chunk(&content, 0, 1500)).unwrap();
        // The connection broke; the sender asks again and goes on from there.
        let offset = store.offset(key.clone()).unwrap();
        assert_eq!(offset, 1500);
        assert!(matches!(store.complete(&key), Err(ImageError::Short { received: 1500, .. })));
        let misplaced = store.receive(&key, &chunk(&content, 0, 1500));
        assert!(matches!(misplaced, Err(ImageError::Misplaced { expected: 1500, got: 0 })));
        store.receive(&key, &chunk(&content, 1500, content.len())).unwrap();
        let (_, image) = store.complete(&key).unwrap();
        let mut arrived = Vec::new();
        image.into_reader().unwrap().read_to_end(&mut arrived).unwrap();
        assert_eq!(arrived, content);
    }

    #[tokio::test]
    async fn another_image_begins_anew_and_a_damaged_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        let (old, new) = (vec![1; 100], vec![2; 200]);
        store.offset(key(&old)).unwrap();
        store.receive(&key(&old), &chunk(&old, 0, 50)).unwrap();
        assert_eq!(store.offset(key(&new)).unwrap(), 0);
        assert!(matches!(store.receive(&key(&old), &chunk(&old, 50, 100)), Err(ImageError::Unannounced)));
        let mut bent = chunk(&new, 0, 200);
        bent.crc32c ^= 1;
        assert!(matches!(store.receive(&key(&new), &bent), Err(ImageError::DamagedPart(0))));
        // Each part is whole, and yet it is not the image that was announced.
        store.receive(&key(&new), &chunk(&[3; 200], 0, 200)).unwrap();
        assert!(matches!(store.complete(&key(&new)), Err(ImageError::Damaged)));
    }
}
