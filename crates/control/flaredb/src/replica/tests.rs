//! Three replicas in one process, over real sockets and files: what sessions of any of them see.

use std::net::SocketAddr;

use kit::client::ClientOptions;
use kit::net::Listener;
use kit::server::Server;
use quorum::wal::WalOptions;
use quorum::{Change, GroupOptions, HostConfig, Member};
use rusqlite::types::Value;
use tonic::service::Routes;

use super::transaction::Patience;
use super::*;
use crate::engine::{Outcome, parameters, values};
use crate::proto::call::point::Verb;
use crate::proto::log::{Ddl, Evaluation, Statement, Write, write};

const GROUP: u64 = 9;
const LONG: Patience = Patience { turn: Duration::from_secs(10), idle: Duration::from_secs(10) };

struct Node {
    host: Host,
    replica: Replica,
    dir: tempfile::TempDir,
}

/// Three replicas that have found a leader and made a table.
struct Trio {
    nodes: Vec<Node>,
}

impl Trio {
    async fn start() -> Self {
        let mut doors = Vec::new();
        for _ in 0..3 {
            let context = Context::real();
            let listener = context.net().listen(([127, 0, 0, 1], 0).into()).await.unwrap();
            doors.push((context, listener));
        }
        let members: Vec<Member> = (1..)
            .zip(&doors)
            .map(|(id, (_, listener))| member(id, listener.local_address().unwrap()))
            .collect();
        let mut nodes = Vec::new();
        for (own, (context, listener)) in members.iter().zip(doors) {
            nodes.push(node(context, listener, own.clone(), members.clone()).await);
        }
        let trio = Self { nodes };
        trio.leader().await;
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL) STRICT";
        let ddl = Ddl { statements: vec![table.to_owned()], ..Ddl::default() };
        assert!(trio.nodes[0].replica.write(envelope(write::Body::Ddl(ddl))).await.unwrap().0.is_ok());
        trio
    }

    /// The one that leads, once all know it.
    async fn leader(&self) -> usize {
        let mut leader = 0;
        for node in &self.nodes {
            let mut leadership = node.replica.group().leadership();
            leader = leadership.wait_for(|seen| seen.leader.is_some()).await.unwrap().leader.unwrap();
        }
        leader as usize - 1
    }

    /// A leader and another one.
    async fn both(&self) -> (&Replica, &Replica) {
        let leader = self.leader().await;
        (&self.nodes[leader].replica, &self.nodes[(leader + 1) % 3].replica)
    }
}

fn member(id: u64, address: SocketAddr) -> Member {
    let peer_addresses = vec![address.to_string()];
    Member { id, name: format!("n{id}"), peer_addresses, client_addresses: Vec::new() }
}

async fn node(context: Context, listener: Box<dyn Listener>, own: Member, founders: Vec<Member>) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let host = HostConfig {
        cluster: 1,
        known_as: 1,
        dir: dir.path().join("raft"),
        wal: WalOptions { segment_bytes: 1 << 20, ..WalOptions::default() },
        tls: None,
        client: ClientOptions::default(),
    };
    let host = Host::open(&context, host).await.unwrap();
    let server = Server::new("peer", listener, Routes::new(host.service().into_server()).into_axum_router());
    let owned = context.clone();
    context.tasks().spawn_critical("peer server", async move { server.run(&owned).await });
    let options = GroupOptions { election: Duration::from_millis(500), ..GroupOptions::default() };
    let config = GroupConfig { group: GROUP, member: own, bootstrap: founders, options };
    let place = dir.path().join("db");
    let replica = Replica::open_in(&context, &host, place, config, ReplicaOptions::default()).await.unwrap();
    Node { host, replica, dir }
}

fn envelope(body: write::Body) -> Write {
    let mut id = [0; 16];
    kit::entropy::Entropy::system().fill(&mut id);
    let evaluation = Some(Evaluation { now: 1, seed: 2, zone: String::new() });
    let key = String::new();
    Write { id: id.to_vec().into(), evaluation, catalog: 0, budget: 10_000_000, key, body: Some(body) }
}

fn sql(text: &str, with: &[i64]) -> Write {
    let with: Vec<Value> = with.iter().copied().map(Value::Integer).collect();
    let rows = parameters(with.iter().map(Into::into)).into();
    let returning = text.contains("RETURNING") || text.starts_with("SELECT");
    envelope(write::Body::Statement(Statement { sql: text.to_owned(), rows, count: 1, returning }))
}

fn insert(id: i64, a: i64) -> Write {
    sql("INSERT INTO t VALUES (?1, ?2)", &[id, a])
}

async fn rows(replica: &Replica) -> i64 {
    replica.be_current(Level::Strict).await.unwrap();
    let reader = replica.reader().unwrap();
    let count = reader.connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    replica.give_back(reader);
    count
}

fn state(outcome: Outcome) -> String {
    outcome.err().map_or_else(String::new, |failure| failure.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_of_any_node_is_seen_by_every_node_and_others_share_its_entry() {
    let trio = Trio::start().await;
    let writes = (0..300).map(|n| {
        let replica = trio.nodes[n as usize % 3].replica.clone();
        async move { replica.write(insert(n, n)).await.unwrap().0 }
    });
    let before = trio.nodes[0].replica.group().status().last_index;
    let outcomes = futures::future::join_all(writes).await;
    assert!(outcomes.iter().all(Result::is_ok));
    for node in &trio.nodes {
        assert_eq!(rows(&node.replica).await, 300);
    }
    let entries = trio.nodes[0].replica.group().status().last_index - before;
    assert!(entries < 200, "{entries} entries for 300 statements");
    let twice = trio.nodes[1].replica.write(insert(7, 7)).await.unwrap().0;
    assert_eq!(twice.unwrap_err().sqlite, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_alone_reads_what_it_wrote_and_is_seen_when_it_is_committed() {
    let trio = Trio::start().await;
    let (leader, other) = trio.both().await;
    for replica in [leader, other] {
        let before = rows(leader).await;
        let transaction = replica.begin(LONG).await.unwrap();
        transaction.write(insert(100 + before, 1)).await.unwrap();
        transaction.point(Verb::Set, "s").await.unwrap();
        transaction.write(insert(200 + before, 1)).await.unwrap();
        transaction.point(Verb::Back, "s").await.unwrap();
        assert_eq!(state(transaction.point(Verb::Release, "none").await), "3B001");
        let seen = transaction.write(sql("SELECT count(*) FROM t", &[])).await.unwrap();
        assert_eq!(values(&seen.rows), Ok(vec![Value::Integer(before + 1)]));
        assert_eq!(rows(other).await, before);
        let beside = leader.clone();
        let waiting = async { beside.write(insert(300 + before, 1)).await.unwrap().0 };
        let (committed, written) = tokio::join!(transaction.commit(String::new()), waiting);
        assert!(committed.unwrap().is_ok() && written.is_ok());
        assert_eq!(rows(other).await, before + 2);
    }
    let transaction = other.begin(LONG).await.unwrap();
    transaction.write(insert(500, 1)).await.unwrap();
    transaction.roll_back().await;
    assert_eq!(rows(leader).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_does_nothing_lets_others_write() {
    let trio = Trio::start().await;
    let (leader, other) = trio.both().await;
    let idle = other.begin(Patience { idle: Duration::from_millis(50), ..LONG }).await.unwrap();
    idle.write(insert(1, 1)).await.unwrap();
    let crowded = leader.begin(Patience { turn: Duration::from_millis(1), ..LONG }).await;
    assert_eq!(crowded.err().unwrap().state, SqlState::LOCK_NOT_AVAILABLE);
    assert!(leader.write(insert(1, 2)).await.unwrap().0.is_ok(), "once it was idle for too long");
    assert_eq!(state(idle.write(insert(2, 2)).await), "25P03");
    assert_eq!(state(idle.commit(String::new()).await.unwrap()), "25P03");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_change_of_leaders_loses_the_transaction_and_nothing_else() {
    let trio = Trio::start().await;
    let leader = trio.leader().await;
    let other = trio.nodes[(leader + 1) % 3].replica.clone();
    let transaction = trio.nodes[leader].replica.begin(LONG).await.unwrap();
    transaction.write(insert(1, 1)).await.unwrap();
    other.group().change(Change::Transfer(other.group().id())).await.unwrap();
    assert!(other.write(insert(1, 2)).await.unwrap().0.is_ok());
    assert_eq!(state(transaction.commit(String::new()).await.unwrap()), "40001");
    assert_eq!(rows(&other).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_repeated_by_its_key_is_done_once() {
    let trio = Trio::start().await;
    let (leader, other) = trio.both().await;
    for replica in [leader, other] {
        let transaction = replica.begin(LONG).await.unwrap();
        transaction.write(sql("INSERT INTO t SELECT count(*) + 1, 0 FROM t", &[])).await.unwrap();
        assert_eq!(transaction.commit("order 5".into()).await.unwrap().unwrap().affected, 1);
        assert_eq!(rows(replica).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_no_more_is_forgotten_and_others_stay() {
    let trio = Trio::start().await;
    let Node { host, replica, dir } = &trio.nodes[0];
    let (context, own) = (Context::real(), member(77, ([127, 0, 0, 1], 1).into()));
    for life in 0..2 {
        let config = GroupConfig {
            group: 50,
            member: own.clone(),
            bootstrap: vec![own.clone()],
            options: GroupOptions::default(),
        };
        let place = dir.path().join(format!("second-{life}"));
        let options = ReplicaOptions::default();
        let second = Replica::open_in(&context, host, place, config, options).await.unwrap();
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL) STRICT";
        let ddl = Ddl { statements: vec![table.to_owned()], ..Ddl::default() };
        let made = second.write(envelope(write::Body::Ddl(ddl))).await.unwrap().0;
        assert!(made.is_ok(), "nothing is left of the first one: {made:?}");
        assert_eq!(host.logs(), [GROUP, 50]);
        host.forget_group(50).await.unwrap();
        assert_eq!(host.logs(), [GROUP]);
        let late = tokio::time::timeout(Duration::from_secs(1), second.write(insert(1, 1))).await;
        assert!(!matches!(late, Ok(Ok(_))), "{late:?}");
    }
    assert!(replica.write(insert(1, 1)).await.unwrap().0.is_ok());
    assert!(!context.tasks().stopping().is_cancelled());
}
