//! The Rust crate `etcd-client` against a running cluster: what a program does that a shell cannot.
//!
//! One line a check, `ok …` or `FAILED …`. It refuses to test the server's speed or its faults.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bench::connect;
use clap::Parser;
use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, EventType, GetOptions, PutOptions, SortOrder, SortTarget, Txn,
    TxnOp, TxnOpResponse, WatchOptions,
};
use tokio::time::Instant;

/// How long a stream may be silent before a check gives up.
const DEADLINE: Duration = Duration::from_secs(15);

/// Checks the Rust etcd-client crate against the cluster that ETCDCTL_* names.
#[derive(Parser)]
struct Cli {
    /// Every key this writes begins with it.
    #[arg(long, default_value = "etcd-client-conformance")]
    prefix: String,
    /// URLs of the members.
    #[arg(long, env = "ETCDCTL_ENDPOINTS", value_delimiter = ',')]
    endpoints: Vec<String>,
    /// The authority that signed the members' certificates (PEM).
    #[arg(long, env = "ETCDCTL_CACERT", requires_all = ["cert", "key"])]
    cacert: Option<PathBuf>,
    /// The client's certificate (PEM).
    #[arg(long, env = "ETCDCTL_CERT")]
    cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, env = "ETCDCTL_KEY")]
    key: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Box::pin(check_all(&Cli::parse())).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("FAILED  connecting: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn check_all(cli: &Cli) -> anyhow::Result<bool> {
    let files = match (&cli.cacert, &cli.cert, &cli.key) {
        (Some(ca), Some(cert), Some(key)) => Some(connect::Files { ca, cert, key }),
        _ => None,
    };
    let client = connect::connect(&cli.endpoints, files).await?;
    let key = |name: &str| format!("{}/{name}", cli.prefix);
    let mut good = true;
    good &= report("kv", &kv(client.clone(), key("kv")).await);
    good &= report("nested transactions", &nested_txn(client.clone(), key("txn")).await);
    good &= report(
        "a transaction over two hundred operations is refused",
        &long_txn(client.clone(), key("long")).await,
    );
    good &= report("an oversized request is refused", &oversized(client.clone(), key("big")).await);
    good &= report("one watch stream, many watchers", &watch(client.clone(), key("watch")).await);
    good &= report("watch progress", &progress(client.clone(), key("progress")).await);
    good &= report("leases kept alive on one stream", &lease(client.clone(), key("lease")).await);
    good &= report("members and status", &cluster(client.clone()).await);
    good &= report("a snapshot streams to its end", &snapshot(client.clone()).await);
    client.kv_client().delete(cli.prefix.as_str(), Some(DeleteOptions::new().with_prefix())).await?;
    Ok(good)
}

fn report(name: &str, outcome: &anyhow::Result<()>) -> bool {
    match outcome {
        Ok(()) => println!("ok      etcd-client: {name}"),
        Err(e) => println!("FAILED  etcd-client: {name}: {e:#}"),
    }
    outcome.is_ok()
}

async fn kv(mut client: Client, prefix: String) -> anyhow::Result<()> {
    let mut revision = 0;
    for number in 0..20 {
        let put = client.put(format!("{prefix}/{number:02}"), vec![number; 300], None).await?;
        let now = put.header().context("a put has a header")?.revision();
        ensure!(now > revision, "revision {now} came after {revision}");
        revision = now;
    }
    let options = GetOptions::new()
        .with_prefix()
        .with_sort(SortTarget::Create, SortOrder::Descend)
        .with_min_mod_revision(revision - 4)
        .with_limit(3);
    let page = client.get(prefix.as_str(), Some(options)).await?;
    let values: Vec<u8> = page.kvs().iter().map(|kv| kv.value()[0]).collect();
    ensure!(values == [19, 18, 17], "the newest three were {values:?}");
    ensure!(page.more(), "a page of three of five must say that there is more");
    let old = client
        .get(prefix.as_str(), Some(GetOptions::new().with_prefix().with_revision(revision - 10)))
        .await?;
    ensure!(old.count() == 10, "ten revisions ago there were {} keys, not 10", old.count());
    let options = PutOptions::new().with_prev_key().with_ignore_lease();
    let before = client.put(format!("{prefix}/00"), "new", Some(options)).await?;
    ensure!(before.prev_key().is_some_and(|kv| kv.value() == [0; 300]), "the previous value is missing");
    let gone =
        client.delete(prefix.as_str(), Some(DeleteOptions::new().with_prefix().with_prev_key())).await?;
    ensure!(
        gone.deleted() == 20 && gone.prev_kvs().len() == 20,
        "{} keys were deleted, not 20",
        gone.deleted()
    );
    Ok(())
}

async fn nested_txn(mut client: Client, prefix: String) -> anyhow::Result<()> {
    client.put(prefix.as_str(), "base", None).await?;
    let inner = Txn::new()
        .when([Compare::value(prefix.as_str(), CompareOp::NotEqual, "base")])
        .and_then([TxnOp::put(format!("{prefix}/wrong"), "", None)])
        .or_else([TxnOp::put(format!("{prefix}/right"), "", None), TxnOp::get(prefix.as_str(), None)]);
    let outer = Txn::new()
        .when([
            Compare::version(prefix.as_str(), CompareOp::Greater, 0),
            Compare::create_revision(format!("{prefix}/right"), CompareOp::Equal, 0),
            Compare::lease(prefix.as_str(), CompareOp::Equal, 0),
        ])
        .and_then([TxnOp::txn(inner)]);
    let response = client.txn(outer).await?;
    ensure!(response.succeeded(), "the outer comparison failed");
    let Some(TxnOpResponse::Txn(inner)) = response.op_responses().into_iter().next() else {
        bail!("the answer to the inner transaction is missing");
    };
    ensure!(!inner.succeeded() && inner.op_responses().len() == 2, "the inner one took the wrong branch");
    let all = client.get(prefix.as_str(), Some(GetOptions::new().with_prefix())).await?;
    ensure!(all.count() == 2, "{} keys are there, not 2", all.count());
    Ok(())
}

async fn long_txn(mut client: Client, prefix: String) -> anyhow::Result<()> {
    let operations: Vec<TxnOp> = (0..200).map(|n| TxnOp::put(format!("{prefix}/{n}"), "", None)).collect();
    refused(
        client.txn(Txn::new().and_then(operations)).await,
        "etcdserver: too many operations in txn request",
    )
}

async fn oversized(mut client: Client, key: String) -> anyhow::Result<()> {
    // Over etcd's limit of 1.5 MiB a request, under the limit of a gRPC frame.
    let value = vec![0; 1_700_000];
    refused(client.put(key, value, None).await, "etcdserver: request is too large")
}

fn refused<T>(answer: Result<T, etcd_client::Error>, message: &str) -> anyhow::Result<()> {
    match answer {
        Ok(_) => bail!("it was accepted"),
        Err(etcd_client::Error::GRpcStatus(status)) if status.message() == message => Ok(()),
        Err(e) => bail!("it was refused with other words: {e}"),
    }
}

async fn watch(mut client: Client, prefix: String) -> anyhow::Result<()> {
    const WATCHERS: usize = 20;
    let mut stream = client.watch(format!("{prefix}/0"), Some(WatchOptions::new().with_watch_id(1))).await?;
    for number in 1..WATCHERS {
        let options = WatchOptions::new().with_watch_id(i64::try_from(number)? + 1).with_prev_key();
        stream.watch(format!("{prefix}/{number}"), Some(options)).await?;
    }
    let mut created = 0;
    while created < WATCHERS {
        let message = next(&mut stream).await?;
        created += usize::from(message.created());
    }
    let mut writer = client.clone();
    for number in 0..WATCHERS {
        writer.put(format!("{prefix}/{number}"), "x", None).await?;
    }
    writer.delete(format!("{prefix}/3"), None).await?;
    let (mut puts, mut deletes, mut last) = (0, 0, 0);
    while puts < WATCHERS || deletes < 1 {
        for event in next(&mut stream).await?.events() {
            let revision = event.kv().context("an event has a key")?.mod_revision();
            ensure!(revision > last, "revision {revision} came after {last}");
            last = revision;
            match event.event_type() {
                EventType::Put => puts += 1,
                EventType::Delete => deletes += 1,
            }
        }
    }
    stream.cancel(1).await?;
    while !next(&mut stream).await?.canceled() {}
    Ok(())
}

async fn progress(mut client: Client, key: String) -> anyhow::Result<()> {
    let mut stream = client.watch(key.as_str(), None).await?;
    while !next(&mut stream).await?.created() {}
    let put = client.put(format!("{key}/elsewhere"), "", None).await?;
    let written = put.header().context("a put has a header")?.revision();
    // The stream may sit on a member that has yet to apply the write; asking again must get there.
    let deadline = Instant::now() + DEADLINE;
    loop {
        stream.request_progress().await?;
        let message = next(&mut stream).await?;
        ensure!(message.events().is_empty(), "nobody wrote to the watched key");
        let told = message.header().context("progress has a header")?.revision();
        if told >= written {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "progress said {told}, the store is at {written}");
    }
}

async fn next(stream: &mut etcd_client::WatchStream) -> anyhow::Result<etcd_client::WatchResponse> {
    let message =
        tokio::time::timeout(DEADLINE, stream.message()).await.context("the watch stream is silent")??;
    message.context("the watch stream ended")
}

async fn lease(mut client: Client, key: String) -> anyhow::Result<()> {
    let granted = client.lease_grant(60, None).await?;
    let id = granted.id();
    client.put(key.as_str(), "x", Some(PutOptions::new().with_lease(id))).await?;
    let (mut keeper, mut answers) = client.lease_keep_alive(id).await?;
    for _ in 0..5 {
        keeper.keep_alive().await?;
        let answer =
            tokio::time::timeout(DEADLINE, answers.message()).await.context("no keep-alive came back")??;
        let answer = answer.context("the keep-alive stream ended")?;
        ensure!(answer.ttl() == 60, "the lease was renewed for {} s, not 60", answer.ttl());
    }
    let got = client.get(key.as_str(), None).await?;
    ensure!(
        got.kvs().first().map(etcd_client::KeyValue::lease) == Some(id),
        "the key does not name its lease"
    );
    client.lease_revoke(id).await?;
    ensure!(client.get(key.as_str(), None).await?.count() == 0, "the key outlived its lease");
    keeper.keep_alive().await?;
    let answer =
        tokio::time::timeout(DEADLINE, answers.message()).await.context("no keep-alive came back")??;
    ensure!(answer.is_some_and(|answer| answer.ttl() == 0), "a revoked lease must be answered with TTL 0");
    Ok(())
}

async fn cluster(mut client: Client) -> anyhow::Result<()> {
    let list = client.member_list().await?;
    ensure!(list.members().iter().all(|member| !member.name().is_empty()), "a member has no name");
    let status = client.status().await?;
    ensure!(list.members().iter().any(|member| member.id() == status.leader()), "the leader is no member");
    ensure!(status.raft_applied_index() > 0 && status.db_size() > 0, "status lacks its figures");
    Ok(())
}

async fn snapshot(mut client: Client) -> anyhow::Result<()> {
    let mut stream = client.snapshot().await?;
    let (mut bytes, mut last) = (0, 0);
    while let Some(part) =
        tokio::time::timeout(DEADLINE, stream.message()).await.context("the snapshot stalls")??
    {
        bytes += part.blob().len();
        last = part.remaining_bytes();
    }
    ensure!(bytes > 32, "the snapshot has {bytes} bytes");
    ensure!(last == 0, "the last part says that {last} bytes remain");
    Ok(())
}
