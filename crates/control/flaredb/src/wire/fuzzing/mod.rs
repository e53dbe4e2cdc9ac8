//! What the fuzz targets call, and the ordinary tests. Not part of any build but those two.

mod fake;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

pub(crate) use fake::{FakeHost, FakeSession, Log};

use crate::wire::{Control, Ending, Options, Transport, serve};

/// The startup packet of a user who needs no password.
pub(crate) const STARTUP: &[u8] = b"\0\0\0\x16\0\x03\0\0user\0trusted\0\0";
/// What a server may say: everything that this one does.
const SAID: &[u8] = b"123CDEGHIKNRSTZcdnstv";

/// A whole connection with a fake session behind it: whatever the client says, it ends, and what it was told is
/// whole messages.
///
/// The first byte chooses: whether the client is let in first (1), a pipe that holds little (2), a low limit of
/// messages (4), that it closes late (8). The others are what it says.
pub(crate) fn fuzz_one(data: &[u8]) {
    let Some((how, said)) = data.split_first() else { return };
    let in_first = how & 1 != 0;
    let said = if in_first { [STARTUP, said].concat() } else { said.to_vec() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let (told, ending) = runtime.expect("a runtime can be made").block_on(converse(*how, &said));
    assert!(!matches!(ending, Ending::Panicked), "nothing here panics");
    if in_first {
        check(&told);
    }
}

async fn converse(how: u8, said: &[u8]) -> (Vec<u8>, Ending) {
    let (near, mut far) = tokio::io::duplex(if how & 2 == 0 { 1 << 16 } else { 16 });
    let options = Options {
        write_limit: Some(Duration::from_secs(10)),
        max_message: if how & 4 == 0 { 1 << 20 } else { 64 },
        flush_at: if how & 4 == 0 { 1 << 10 } else { 32 },
        ..Options::new([0; 32])
    };
    let host = FakeHost { idle: Some(Duration::from_secs(30)), ..FakeHost::default() };
    let host = Arc::new(host);
    let control = Control::new();
    let transport = Transport { stream: Box::new(near), security: None };
    let client = async {
        let (mut reader, mut writer) = tokio::io::split(&mut far);
        let mut told = Vec::new();
        let write = async {
            // The server may have hung up already.
            let _ = writer.write_all(said).await;
            if how & 8 != 0 {
                // Until everybody waits.
                tokio::time::sleep(Duration::from_secs(100)).await;
            }
            let _ = writer.shutdown().await;
        };
        let (read, ()) = tokio::join!(reader.read_to_end(&mut told), write);
        read.expect("a pipe in memory has no errors");
        told
    };
    let server = async {
        let ending = serve(&*host, transport, &options, &control).await;
        (ending, control)
    };
    let (told, (ending, _)) = tokio::join!(client, server);
    (told, ending)
}

/// Whole messages of known types; the last one may be cut where the client has left.
fn check(mut told: &[u8]) {
    while let Some((tag, rest)) = told.split_first() {
        assert!(SAID.contains(tag), "a message of type {tag}");
        let Some((length, _)) = rest.split_first_chunk() else { return };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        assert!((4..1 << 20).contains(&length), "a message of {length} bytes");
        told = rest.get(length..).unwrap_or_default();
    }
}
