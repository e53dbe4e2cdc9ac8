//! The server's image, saved.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use etcd_client::Client;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Whole, hex};
use crate::connect::Target;
use crate::output::{Column, Report};

const COLUMNS: &[Column] = &[
    Column::always("FILE", "file"),
    Column::always("BYTES", "bytes"),
    Column::always("REVISION", "revision"),
    Column::wide("SHA256", "sha256"),
];
/// etcd's outline: content in blocks, then its hash.
const BLOCK: u64 = 512;
const HASH: usize = 32;
/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Saves an image of the whole store, with its history, while the cluster goes on. The file is for `ultracloud
/// chainfire verify-backup` and `restore`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  uc chainfire backup chainfire-2030-01-31.image")]
pub(crate) struct Backup {
    /// Where to; must not exist.
    file: PathBuf,
}

pub(crate) async fn run(target: &Target, options: &Backup) -> anyhow::Result<Report> {
    // One member's image: the parts of two would not fit.
    let endpoint = target.endpoints()?.into_iter().next().context("no endpoint is named")?;
    let connect = target.options()?.with_connect_timeout(SILENCE);
    let mut client = Client::connect([&endpoint], Some(connect))
        .await
        .with_context(|| format!("cannot use the endpoint {endpoint}"))?;
    let revision = client.status().await?.header().map_or(0, etcd_client::ResponseHeader::revision);
    let mut stream = client.snapshot().await?;
    let mut file = Whole::create(&options.file)?;
    let mut end = End::default();
    loop {
        let part = tokio::time::timeout(SILENCE, stream.message()).await;
        let part = part.with_context(|| format!("{endpoint} was silent for {SILENCE:?}"))??;
        let Some(part) = part else { break };
        file.write_all(end.take(part.blob())).context("cannot write the backup")?;
    }
    let sha256 = end.check()?;
    file.write_all(&end.held)?;
    file.finish()?;
    let mut report = Report::new(COLUMNS, "file");
    report.rows.push(json!({
        "file": options.file.display().to_string(),
        "bytes": end.length + HASH as u64,
        // At least: it was asked before.
        "revision": revision,
        "sha256": sha256,
    }));
    Ok(report)
}

/// Hashes everything but the last 32 bytes, which are held back.
#[derive(Default)]
struct End {
    hash: Sha256,
    length: u64,
    held: Vec<u8>,
    ready: Vec<u8>,
}

impl End {
    /// Takes a part; gives what is certainly content.
    fn take(&mut self, part: &[u8]) -> &[u8] {
        self.held.extend_from_slice(part);
        let content = self.held.len().saturating_sub(HASH);
        self.ready.clear();
        self.ready.extend(self.held.drain(..content));
        self.hash.update(&self.ready);
        self.length += self.ready.len() as u64;
        &self.ready
    }

    fn check(&self) -> anyhow::Result<String> {
        ensure!(
            self.held.len() == HASH && self.length > 0 && self.length.is_multiple_of(BLOCK),
            "the image broke off after {} bytes: try again, or another endpoint",
            self.length
        );
        let own: [u8; HASH] = self.hash.clone().finalize().into();
        ensure!(own[..] == self.held[..], "the image was damaged on its way: try again");
        Ok(hex(&own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let content = vec![7; 1024];
        let hash: [u8; HASH] = Sha256::digest(&content).into();
        [content, hash.to_vec()].concat()
    }

    #[test]
    fn the_end_is_found_wherever_the_parts_are_cut() {
        for size in [1, 31, 32, 33, 500, 2000] {
            let (mut end, mut content) = (End::default(), Vec::new());
            for part in image().chunks(size) {
                content.extend_from_slice(end.take(part));
            }
            end.check().expect("whole");
            assert_eq!([content, end.held].concat(), image());
        }
    }

    #[test]
    fn what_is_cut_or_bent_is_noticed() {
        let whole = image();
        for length in [0, 32, 700, 1024, 1055] {
            let mut end = End::default();
            end.take(&whole[..length]);
            assert!(end.check().is_err(), "{length}");
        }
        let (mut end, mut bent) = (End::default(), whole);
        bent[5] ^= 1;
        end.take(&bent);
        assert!(end.check().is_err());
    }
}
