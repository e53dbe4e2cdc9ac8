//! A log as it grows: what `tail -F` shows, on the connection.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use crate::wire::{self, Kind};

/// Between two looks: a file on every node tells nobody that it has grown.
const PAUSE: Duration = Duration::from_millis(250);

/// In one frame.
const CHUNK: usize = 64 << 10;

/// Sends what is behind `offset`, then what comes, until the other end goes. A file that becomes shorter or
/// is replaced meanwhile is read from its beginning.
pub(super) async fn follow(
    path: &Path,
    offset: u64,
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) {
    let mut byte = [0];
    tokio::select! {
        biased;
        // Nothing is ever sent by the other end but its end.
        _ = from.read(&mut byte) => {}
        // An error is the other end's end too.
        _ = send(path, offset, to) => {}
    }
}

async fn send(path: &Path, mut offset: u64, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
    // A log that comes into being while somebody waits for it is new from its beginning.
    let mut inode = None;
    let mut was_missing = false;
    let mut buffer = vec![0; CHUNK];
    loop {
        // A service that has not said anything has no log yet.
        if let Ok(file) = File::open(path) {
            let meta = file.metadata()?;
            if inode.is_none() {
                // A machine that lost its power may have lost the end, too.
                offset = if was_missing { 0 } else { offset.min(meta.len()) };
            } else if inode != Some(meta.ino()) || meta.len() < offset {
                offset = 0;
            }
            inode = Some(meta.ino());
            loop {
                let size = file.read_at(&mut buffer, offset)?;
                if size == 0 {
                    break;
                }
                wire::write(to, Kind::Stdout, &buffer[..size]).await?;
                offset += size as u64;
            }
        } else {
            was_missing = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_log_that_was_not_there_is_shown_from_its_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let (mut from, mut to) = tokio::io::split(far);
        let reader = async {
            tokio::time::sleep(PAUSE * 2).await;
            std::fs::write(&path, "new").unwrap();
            assert_eq!(wire::read(&mut near).await.unwrap().unwrap().1, b"new");
        };
        tokio::select! {
            () = follow(&path, 1000, &mut from, &mut to) => panic!("it ended by itself"),
            () = reader => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_shows_what_comes_and_begins_again_with_a_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        // Before anybody looks: a log that comes later is shown from its beginning.
        std::fs::write(&path, "0123456789").unwrap();
        let (mut near, far) = tokio::io::duplex(1 << 20);
        let (mut from, mut to) = tokio::io::split(far);
        let reader = async {
            let mut next = async || wire::read(&mut near).await.unwrap().unwrap().1;
            assert_eq!(next().await, b"56789");
            std::fs::write(&path, "new").unwrap();
            assert_eq!(next().await, b"new");
        };
        tokio::select! {
            () = follow(&path, 5, &mut from, &mut to) => panic!("it ended by itself"),
            () = reader => {}
        }
    }
}
