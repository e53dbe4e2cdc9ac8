//! One open segment file.

use std::path::{Path, PathBuf};

use kit::disk::{Disk, File, read_exact_at};

use super::books::MAX_SEGMENT_BYTES;
use super::error::WalError;
use super::format::{BLOCK, HeaderFault, SegmentHeader, VERSION};

/// A segment whose header is known. Kept for as long as somebody reads from it: only a segment
/// that nobody holds is used again.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    /// Where the checksums inside start from.
    pub(super) seed: u32,
    pub(super) path: PathBuf,
    file: Box<dyn File>,
}

impl Segment {
    pub(super) fn new(header: SegmentHeader, path: PathBuf, file: Box<dyn File>) -> Self {
        Self { header, seed: header.seed(), path, file }
    }

    /// Opens an existing segment and reads its header. A name is given to a segment only after its
    /// header is durable, so whatever is wrong with the header is damage.
    pub(super) fn open(disk: &dyn Disk, path: &Path, sequence: u64) -> Result<Self, WalError> {
        let file = disk.open(path, false).map_err(WalError::io("open", path))?;
        let mut block = vec![0; BLOCK];
        let got = file.read_at(&mut block, 0).map_err(WalError::io("read", path))?;
        let header = SegmentHeader::decode(&block[..got]).map_err(|fault| match fault {
            HeaderFault::Version(found) => {
                WalError::Version { segment: path.to_owned(), found, supported: VERSION }
            }
            HeaderFault::NotASegment | HeaderFault::Checksum => WalError::damaged(path, 0, fault.to_string()),
        })?;
        if header.bytes > MAX_SEGMENT_BYTES {
            return Err(WalError::damaged(path, 0, format!("it claims to have {} bytes", header.bytes)));
        }
        if header.sequence != sequence {
            let why = format!("it was written as segment {}, not under this name", header.sequence);
            return Err(WalError::damaged(path, 0, why));
        }
        Ok(Self::new(header, path.to_owned(), file))
    }

    /// Everything in the file, up to the size in its header.
    pub(super) fn read_all(&self) -> Result<Vec<u8>, WalError> {
        let size = self.file.size().map_err(WalError::io("read", &self.path))?;
        self.read(0, size.min(self.header.bytes))
    }

    pub(super) fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, WalError> {
        let mut bytes = vec![0; usize::try_from(length).expect("segments are far smaller than memory")];
        read_exact_at(&*self.file, &mut bytes, offset).map_err(WalError::io("read", &self.path))?;
        Ok(bytes)
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> Result<(), WalError> {
        self.file.write_all_at(bytes, offset).map_err(WalError::io("write", &self.path))
    }

    pub(super) fn sync(&self) -> Result<(), WalError> {
        self.file.sync_data().map_err(WalError::io("sync", &self.path))
    }
}
