//! Files on the node: listed, and damaged on request.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::node::protocol::{Damage, FileEntry};

/// A larger push is a mistake: images travel as disks.
pub(super) const MAX_PUSH: usize = 64 << 20;

/// Every regular file below a directory.
pub(super) fn list(dir: &Path) -> io::Result<Vec<FileEntry>> {
    let mut files = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_dir() {
                pending.push(entry.path());
            } else if meta.is_file() {
                let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let modified_ms = u64::try_from(modified.as_millis()).unwrap_or(u64::MAX);
                let path = entry.path().to_string_lossy().into_owned();
                files.push(FileEntry { path, size: meta.len(), modified_ms });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Damages a file; says what was done.
pub(super) fn damage(path: &Path, how: Damage) -> io::Result<String> {
    let file = File::options().read(true).write(true).open(path)?;
    let size = file.metadata()?.len();
    let done = match how {
        Damage::FlipMiddleBit { bit } => flip(&file, written(&file)? / 2, bit & 7)?,
        Damage::TearTail { bytes, seed } => tear(&file, bytes, seed)?,
        Damage::Truncate { size: to } => {
            file.set_len(to)?;
            format!("cut to {to} bytes")
        }
    };
    file.sync_all()?;
    Ok(format!("{} ({size} bytes): {done}", path.display()))
}

fn flip(file: &File, offset: u64, bit: u8) -> io::Result<String> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, offset)?;
    Ok(format!("flipped bit {bit} of byte {offset}"))
}

fn tear(file: &File, bytes: u64, seed: u64) -> io::Result<String> {
    let end = written(file)?;
    let offset = end.saturating_sub(bytes);
    let mut garbage = vec![0; usize::try_from(end - offset).unwrap_or_default()];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut garbage);
    file.write_all_at(&garbage, offset)?;
    Ok(format!("garbage from {offset} to {end}"))
}

/// How far a file is written: to its last byte that is not zero.
fn written(file: &File) -> io::Result<u64> {
    const BLOCK: u64 = 1 << 20;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 1 << 20];
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let part = &mut block[..usize::try_from(end - start).unwrap_or_default()];
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|b| *b != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_does_what_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0001.wal");
        let mut content = vec![0; 3 << 20];
        content[..1000].fill(7);
        fs::write(&path, &content).unwrap();
        damage(&path, Damage::FlipMiddleBit { bit: 3 }).unwrap();
        assert_eq!(fs::read(&path).unwrap()[500], 15);
        damage(&path, Damage::FlipMiddleBit { bit: 3 }).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
        damage(&path, Damage::TearTail { bytes: 8, seed: 1 }).unwrap();
        let torn = fs::read(&path).unwrap();
        assert_eq!(torn[..992], content[..992]);
        assert_ne!(torn[992..1000], content[992..1000]);
        assert_eq!(torn.len(), content.len());
        damage(&path, Damage::Truncate { size: 5 }).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), 5);
        assert!(damage(&dir.path().join("none"), Damage::Truncate { size: 0 }).is_err());
    }
}
