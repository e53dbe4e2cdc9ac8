//! Keys from a file into a cluster that runs.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use serde_json::json;

use super::lines::{Key, read};
use crate::connect::Target;
use crate::output::{Column, Report};

const COLUMNS: &[Column] = &[
    Column::always("FILE", "file"),
    Column::always("WRITTEN", "written"),
    Column::always("SAME", "same"),
    Column::always("KEPT", "kept"),
    Column::always("LEASED", "leased"),
];
/// Keys in one transaction, and bytes of them: below what a server takes by default.
const KEYS: usize = 100;
const BYTES: usize = 512 << 10;

/// Writes the keys of an export into a cluster. The file is read to its end and checked before the first is written.
/// Keys that are there already are kept, unless told otherwise; what was interrupted can be run again.
#[derive(Args, Debug)]
#[command(
    after_help = "Keys that had a lease are left out: nobody would end it. SAME were there with the same value, KEPT with another.

Examples:
  uc chainfire import keys.jsonl
  uc chainfire import keys.jsonl --replace"
)]
pub(crate) struct Import {
    /// What `uc chainfire export` wrote.
    file: PathBuf,
    /// Writes over keys that are there.
    #[arg(long)]
    replace: bool,
}

#[derive(Default)]
struct Tally {
    written: u64,
    same: u64,
    kept: u64,
    leased: u64,
}

pub(crate) async fn run(target: &Target, options: &Import) -> anyhow::Result<Report> {
    let about = || format!("{} is no whole export", options.file.display());
    let mut tally = Tally::default();
    let mut batches: Vec<Vec<Key>> = vec![Vec::new()];
    let mut bytes = 0;
    // Twice through the file would need less memory, but it might be another one by then.
    read(open(&options.file)?, |key| {
        if key.lease != 0 {
            tally.leased += 1;
            return Ok(());
        }
        let size = key.key.len() + key.value.len();
        let full = batches.last().is_some_and(|batch| batch.len() == KEYS || bytes + size > BYTES);
        if full {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        batches.last_mut().context("there is always a batch")?.push(key);
        Ok(())
    })
    .with_context(about)?;
    let mut client = target.connect(&target.endpoints()?).await?;
    for batch in batches.iter().filter(|batch| !batch.is_empty()) {
        write(&mut client, batch, options.replace, &mut tally).await?;
    }
    let mut report = Report::new(COLUMNS, "file");
    let Tally { written, same, kept, leased } = tally;
    let file = options.file.display().to_string();
    report
        .rows
        .push(json!({ "file": file, "written": written, "same": same, "kept": kept, "leased": leased }));
    if kept > 0 {
        report
            .complaints
            .push(format!("{kept} keys had other values and were kept: --replace writes over them"));
    }
    Ok(report)
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).with_context(|| format!("cannot read {}", path.display()))?))
}

/// Writes those that are not there, all at once; if some are, one by one.
async fn write(client: &mut Client, batch: &[Key], replace: bool, tally: &mut Tally) -> anyhow::Result<()> {
    if replace {
        let puts: Vec<TxnOp> = batch.iter().map(put).collect();
        client.txn(Txn::new().and_then(puts)).await?;
        tally.written += batch.len() as u64;
        return Ok(());
    }
    let absent: Vec<Compare> = batch.iter().map(is_absent).collect();
    let puts: Vec<TxnOp> = batch.iter().map(put).collect();
    if client.txn(Txn::new().when(absent).and_then(puts)).await?.succeeded() {
        tally.written += batch.len() as u64;
        return Ok(());
    }
    for key in batch {
        let look = TxnOp::get(key.key.clone(), None);
        let txn = Txn::new().when([is_absent(key)]).and_then([put(key)]).or_else([look]);
        let answer = client.txn(txn).await?;
        if answer.succeeded() {
            tally.written += 1;
            continue;
        }
        let found = answer.op_responses().into_iter().any(|response| match response {
            etcd_client::TxnOpResponse::Get(got) => got.kvs().iter().any(|kv| kv.value() == key.value),
            _ => false,
        });
        *(if found { &mut tally.same } else { &mut tally.kept }) += 1;
    }
    Ok(())
}

fn is_absent(key: &Key) -> Compare {
    Compare::create_revision(key.key.clone(), CompareOp::Equal, 0)
}

fn put(key: &Key) -> TxnOp {
    TxnOp::put(key.key.clone(), key.value.clone(), None)
}
