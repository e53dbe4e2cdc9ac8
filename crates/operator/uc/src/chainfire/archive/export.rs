//! The keys of one revision, as lines.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use etcd_client::{Client, GetOptions};
use serde_json::json;

use super::Whole;
use super::lines::{Head, Writer};
use crate::connect::Target;
use crate::output::{Column, Report};

const COLUMNS: &[Column] = &[
    Column::always("FILE", "file"),
    Column::always("KEYS", "keys"),
    Column::always("REVISION", "revision"),
    Column::wide("SHA256", "sha256"),
];
/// Keys asked for at once.
const PAGE: i64 = 500;

/// Writes the keys and values of one revision to a file, while the cluster goes on. Leases, history and users are not
/// in it; `uc chainfire backup` has them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  uc chainfire export keys.jsonl
  uc chainfire export pods.jsonl --prefix /registry/pods/")]
pub(crate) struct Export {
    /// Where to; must not exist.
    file: PathBuf,
    /// Only keys that begin with it.
    #[arg(long, default_value = "", value_name = "PREFIX")]
    prefix: String,
}

pub(crate) async fn run(target: &Target, options: &Export) -> anyhow::Result<Report> {
    let mut client = target.connect(&target.endpoints()?).await?;
    let file = Whole::create(&options.file)?;
    let prefix = options.prefix.as_bytes();
    let (from, end) = if prefix.is_empty() { (vec![0], vec![0]) } else { (prefix.to_vec(), after(prefix)) };
    let first =
        client.get(from.clone(), Some(GetOptions::new().with_range(end.clone()).with_count_only())).await?;
    let header = first.header().context("an answer without a header")?;
    let (cluster, revision) = (header.cluster_id(), header.revision());
    let mut writer = Writer::begin(file, &Head::new(cluster, revision, prefix))?;
    copy(&mut client, (from, end), revision, |key, value, lease| writer.key(key, value, lease)).await?;
    let (file, keys, sha256) = writer.end()?;
    file.finish()?;
    let mut report = Report::new(COLUMNS, "file");
    let file = options.file.display().to_string();
    report.rows.push(json!({ "file": file, "keys": keys, "revision": revision, "sha256": sha256 }));
    Ok(report)
}

/// All keys of a range at a revision, page by page.
async fn copy(
    client: &mut Client,
    (mut from, end): (Vec<u8>, Vec<u8>),
    revision: i64,
    mut take: impl FnMut(&[u8], &[u8], i64) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    loop {
        let page = GetOptions::new().with_range(end.clone()).with_limit(PAGE).with_revision(revision);
        let got = client.get(from.clone(), Some(page)).await.with_context(|| {
            format!("revision {revision} can no longer be read; if it was compacted meanwhile, export again")
        })?;
        for kv in got.kvs() {
            take(kv.key(), kv.value(), kv.lease()).context("cannot write the export")?;
        }
        let Some(last) = got.kvs().last().filter(|_| got.more()) else { return Ok(()) };
        // The next key there can be.
        from = [last.key(), &[0]].concat();
    }
}

/// The end of the range of keys that begin with a prefix, which is not empty; `\0`: there is none.
fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_a_prefix_ends_where_others_begin() {
        assert_eq!(after(b"ab"), b"ac");
        assert_eq!(after(b"a\xff"), b"b");
        assert_eq!(after(b"\xff\xff"), b"\0");
    }
}
