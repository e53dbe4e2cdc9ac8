//! Two replicas of one log: what one of them carries out, the other follows, and both hold the same.

use std::io::Read as _;

use bytes::Bytes;
use kit::Context;
use proptest::prelude::*;
use quorum::{Command, StateMachine as _};
use rusqlite::types::Value;

use super::*;
use crate::engine::parameters;
use crate::proto::log::{Ddl, Evaluation, Failure, Statement, Write, write};

/// A replica, and where its log is.
struct Replica {
    machine: Machine,
    shared: Arc<Shared>,
    dir: tempfile::TempDir,
}

impl Replica {
    fn new(member: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::open(&Context::real(), dir.path(), None, member).unwrap();
        Self { shared: machine.shared(), machine, dir }
    }

    /// As after a crash of the process.
    fn restarted(self) -> Self {
        let Self { machine, shared, dir } = self;
        drop((machine, shared));
        let machine = Machine::open(&Context::real(), dir.path(), None, 1).unwrap();
        Self { shared: machine.shared(), machine, dir }
    }

    fn apply(&mut self, entries: &[(u64, Bytes)]) -> Vec<Vec<Outcome>> {
        let commands: Vec<Command> = entries
            .iter()
            .map(|(index, payload)| Command { index: *index, term: 1, payload: payload.clone() })
            .collect();
        let position = Bytes::from(entries.last().unwrap().0.to_string());
        let replies = self.machine.apply(&commands, &position).unwrap();
        replies.into_iter().map(|reply| decode_reply(reply).unwrap()).collect()
    }

    fn one(&mut self, index: u64, write: Write) -> Outcome {
        self.apply(&[(index, batch(vec![write]))]).remove(0).remove(0)
    }

    fn count(&self, table: &str) -> i64 {
        self.read(&format!("SELECT count(*) FROM {table}"))
    }

    fn read<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        let reader = self.shared.readers().take().unwrap();
        let value = reader.connection.query_row(sql, [], |row| row.get(0)).unwrap();
        self.shared.readers().give_back(reader);
        value
    }

    fn hash(&self) -> u64 {
        self.shared.writer().hash()
    }

    /// In the open transaction.
    fn transact(&self, write: &Write) -> Outcome {
        self.shared.writer().in_transaction(&[7; 16], write).unwrap()
    }

    fn close(&self) -> Bytes {
        encode(Body::Commit(self.shared.writer().close_transaction(&[7; 16], "").unwrap().unwrap()))
    }
}

fn batch(writes: Vec<Write>) -> Bytes {
    encode(Body::Batch(Batch { writes, term: 0 }))
}

fn envelope(body: write::Body) -> Write {
    let evaluation = Some(Evaluation { now: 1, seed: 2, zone: String::new() });
    Write {
        id: Bytes::new(),
        evaluation,
        catalog: 0,
        budget: 10_000_000,
        key: String::new(),
        body: Some(body),
    }
}

fn sql(text: &str, values: &[Value]) -> Write {
    let rows = parameters(values.iter().map(Into::into)).into();
    envelope(write::Body::Statement(Statement { sql: text.to_owned(), rows, count: 1, returning: false }))
}

fn returning(text: &str) -> Write {
    let mut write = sql(text, &[]);
    if let Some(write::Body::Statement(statement)) = &mut write.body {
        statement.returning = true;
    }
    write
}

fn ddl(statements: &[&str]) -> Write {
    let statements = statements.iter().map(|s| (*s).to_owned()).collect();
    envelope(write::Body::Ddl(Ddl { statements, ..Ddl::default() }))
}

fn tables() -> Write {
    ddl(&[
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b TEXT) STRICT",
        "CREATE TABLE child (t INTEGER REFERENCES t (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) STRICT",
        "CREATE TABLE bare (x INTEGER, y TEXT) STRICT",
    ])
}

/// Two replicas with the same tables.
fn pair() -> (Replica, Replica) {
    let (mut leader, mut follower) = (Replica::new(1), Replica::new(2));
    for replica in [&mut leader, &mut follower] {
        assert!(replica.one(1, tables()).is_ok());
    }
    (leader, follower)
}

fn assert_same(one: &Replica, other: &Replica) {
    for table in ["t", "child", "bare"] {
        let all = format!(
            "SELECT group_concat(line, char(10)) FROM (SELECT rowid || '|' || quote({}) AS line FROM {table} ORDER BY rowid)",
            if table == "child" {
                "t"
            } else if table == "t" {
                "a) || quote(b"
            } else {
                "x) || quote(y"
            },
        );
        assert_eq!(one.read::<Option<String>>(&all), other.read::<Option<String>>(&all), "{table}");
    }
    assert_eq!(one.hash(), other.hash());
}

#[test]
fn a_failed_statement_takes_nothing_with_it_and_leaves_nothing() {
    let (mut leader, mut follower) = pair();
    let entry = batch(vec![
        sql("INSERT INTO t VALUES (1, 10, 'one')", &[]),
        sql("INSERT INTO t VALUES (2, 20, 'two'), (1, 11, 'again')", &[]),
        sql("INSERT INTO child VALUES (99)", &[]),
        sql("INSERT INTO t VALUES (3, ?1, ?2)", &[Value::Integer(30), Value::Null]),
        returning("UPDATE t SET a = a + 1 RETURNING id, a"),
    ]);
    for replica in [&mut leader, &mut follower] {
        let outcomes = replica.apply(&[(2, entry.clone())]).remove(0);
        assert_eq!(outcomes[0].as_ref().unwrap().affected, 1);
        assert_eq!(outcomes[1].as_ref().unwrap_err().sqlite, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
        assert_eq!(outcomes[2].as_ref().unwrap_err().sqlite, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
        assert!(outcomes[3].is_ok());
        let updated = outcomes[4].as_ref().unwrap();
        assert_eq!((updated.affected, updated.count), (2, 2));
        let expected = [1, 11, 3, 31].map(Value::Integer);
        assert_eq!(crate::engine::values(&updated.rows), Ok(expected.to_vec()));
        assert_eq!((replica.count("t"), replica.count("child")), (2, 0));
    }
    assert_same(&leader, &follower);
}

#[test]
fn a_statement_without_end_is_stopped_at_the_same_step_everywhere() {
    let (mut leader, mut follower) = pair();
    let endless = sql(
        "INSERT INTO bare (x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        &[],
    );
    let entry = |n: i64, with| {
        let mut writes = vec![sql("INSERT INTO t VALUES (?1, 1, 'beside it')", &[Value::Integer(n)])];
        writes.extend(Some(endless.clone()).filter(|_| with));
        writes.push(sql("INSERT INTO bare VALUES (1, 'after it')", &[]));
        batch(writes)
    };
    let log = [(2, entry(1, false)), (3, entry(2, true)), (4, entry(3, true))];
    // The one takes entry by entry, the other all of them in one pass.
    for entry in &log {
        leader.apply(std::slice::from_ref(entry));
    }
    let outcomes = follower.apply(&log);
    assert_eq!(outcomes[1][1].as_ref().unwrap_err().state, "57014");
    assert!(outcomes[1][0].is_ok() && outcomes[1][2].is_ok() && outcomes[2][2].is_ok());
    assert_eq!((leader.count("bare"), leader.count("t")), (3, 3));
    assert_same(&leader, &follower);
}

#[test]
fn a_stopped_statement_ends_its_transaction_and_nothing_else() {
    let (mut leader, _) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("INSERT INTO t VALUES (1, 1, 'lost')", &[])).unwrap();
    let shared = leader.shared.clone();
    let stopping = std::thread::spawn(move || {
        // Again and again: what came before the statement is not meant for it.
        while shared.writer_if_free().is_none_or(|writer| writer.is_open(&[7; 16])) {
            shared.stop(&[7; 16]);
            std::thread::yield_now();
        }
    });
    let endless = "INSERT INTO bare (x) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    assert_eq!(leader.transact(&sql(endless, &[])).unwrap_err().state, "57014");
    stopping.join().unwrap();
    assert_eq!(leader.transact(&sql("INSERT INTO t VALUES (2, 1, '')", &[])).unwrap_err().state, "40001");
    assert!(leader.one(2, sql("INSERT INTO t VALUES (1, 1, 'next')", &[])).is_ok());
    assert_eq!(leader.read::<String>("SELECT b FROM t"), "next");
}

#[test]
fn a_transaction_becomes_visible_with_its_entry_and_others_follow_its_changes() {
    let (mut leader, mut follower) = pair();
    let first = batch(vec![sql("INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')", &[])]);
    leader.apply(&[(2, first.clone())]);
    follower.apply(&[(2, first)]);
    leader.shared.open_transaction([7; 16]).unwrap();
    assert!(leader.transact(&sql("INSERT INTO child VALUES (2)", &[])).is_ok());
    assert!(leader.transact(&sql("INSERT INTO bare VALUES (5, 'no key'), (5, 'no key')", &[])).is_ok());
    assert!(leader.transact(&sql("INSERT INTO t VALUES (1, 0, 'twice')", &[])).is_err());
    assert!(leader.transact(&sql("DELETE FROM t WHERE id = 2", &[])).is_ok());
    assert_eq!((leader.count("bare"), leader.count("t")), (0, 2), "nothing is visible yet");
    let entry = leader.close();
    for replica in [&mut leader, &mut follower] {
        let outcome = replica.apply(&[(3, entry.clone())]).remove(0).remove(0);
        assert_eq!(outcome.unwrap().affected, 4);
        assert_eq!((replica.count("bare"), replica.count("t"), replica.count("child")), (2, 1, 0));
    }
    assert_same(&leader, &follower);
    let next = batch(vec![sql("UPDATE bare SET x = 6", &[])]);
    leader.apply(&[(4, next.clone())]);
    follower.apply(&[(4, next)]);
    assert_same(&leader, &follower);
}

#[test]
fn what_a_savepoint_takes_back_is_not_replicated() {
    let (mut leader, mut follower) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("INSERT INTO t VALUES (1, 1, 'kept')", &[])).unwrap();
    leader.shared.writer().set_savepoint(&[7; 16], "a\"b").unwrap().unwrap();
    leader.transact(&sql("INSERT INTO t VALUES (2, 2, 'lost')", &[])).unwrap();
    leader.transact(&ddl(&["CREATE TABLE later (x INTEGER) STRICT"])).unwrap();
    leader.transact(&sql("INSERT INTO later VALUES (1)", &[])).unwrap();
    assert!(leader.shared.writer().roll_back_to(&[7; 16], "a\"b").unwrap().is_ok());
    leader.transact(&ddl(&["ALTER TABLE bare ADD COLUMN z INTEGER DEFAULT 3"])).unwrap();
    leader.transact(&sql("INSERT INTO bare VALUES (1, 'one', 2)", &[])).unwrap();
    assert!(leader.shared.writer().release(&[7; 16], "a\"b").unwrap().is_ok());
    assert!(leader.shared.writer().roll_back_to(&[7; 16], "a\"b").unwrap().is_err());
    let entry = leader.close();
    for replica in [&mut leader, &mut follower] {
        assert!(replica.apply(&[(2, entry.clone())])[0][0].is_ok());
        assert_eq!(replica.read::<i64>("SELECT z FROM bare"), 2);
        assert_eq!(replica.read::<i64>("SELECT count(*) FROM sqlite_schema WHERE name = 'later'"), 0);
        assert_eq!(replica.read::<String>("SELECT b FROM t"), "kept");
    }
    assert_same(&leader, &follower);
}

#[test]
fn another_leaders_entry_ends_the_open_transaction() {
    let (mut leader, mut follower) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("INSERT INTO t VALUES (1, 1, 'mine')", &[])).unwrap();
    let late = leader.close();
    let other = batch(vec![sql("INSERT INTO t VALUES (1, 1, 'theirs')", &[])]);
    for replica in [&mut leader, &mut follower] {
        assert!(replica.apply(&[(2, other.clone())])[0][0].is_ok());
    }
    assert_eq!(leader.read::<String>("SELECT b FROM t"), "theirs");
    // Its commit comes all the same: it was made of what is no more.
    for replica in [&mut leader, &mut follower] {
        let outcome = replica.apply(&[(3, late.clone())]).remove(0).remove(0);
        assert_eq!(outcome.unwrap_err().state, "40001");
    }
    assert_same(&leader, &follower);
    let refused = leader.transact(&sql("INSERT INTO t VALUES (2, 1, 'late')", &[]));
    assert_eq!(refused.unwrap_err().state, "40001");
}

#[test]
fn a_statement_of_the_open_transaction_makes_way_for_the_log() {
    let (mut leader, _) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    let endless = "SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)";
    let shared = leader.shared.clone();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let running = std::thread::spawn(move || {
        let mut writer = shared.writer();
        begun.send(()).unwrap();
        writer.in_transaction(&[7; 16], &returning(endless)).unwrap()
    });
    has_begun.recv().unwrap();
    assert!(leader.one(2, sql("INSERT INTO t VALUES (1, 1, 'log')", &[])).is_ok());
    assert!(matches!(running.join().unwrap().unwrap_err().state.as_str(), "57014" | "40001"));
}

#[test]
fn a_commit_that_leaves_a_reference_to_nothing_is_refused() {
    let (leader, _) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    // Deferred, but not beyond the statement unless the transaction is the client's.
    let dangling = leader.transact(&sql("INSERT INTO child VALUES (5)", &[]));
    assert!(dangling.is_ok(), "{dangling:?}");
    let refused = leader.shared.writer().close_transaction(&[7; 16], "").unwrap().unwrap_err();
    assert_eq!(refused.sqlite, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY);
    leader.transact(&sql("INSERT INTO t VALUES (5, 5, 'the parent')", &[])).unwrap();
    assert!(leader.shared.writer().close_transaction(&[7; 16], "").unwrap().is_ok());
}

#[test]
fn a_replica_that_meets_other_rows_fences_itself() {
    let (mut leader, mut follower) = pair();
    let first = batch(vec![sql("INSERT INTO t VALUES (1, 1, 'a')", &[])]);
    leader.apply(&[(2, first.clone())]);
    follower.apply(&[(2, first)]);
    // Somebody has changed a row behind the log's back.
    follower.shared.writer().tamper("UPDATE t SET b = 'rotten'");
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("UPDATE t SET b = 'c' WHERE id = 1", &[])).unwrap();
    let entry = leader.close();
    assert!(leader.apply(&[(3, entry.clone())])[0][0].is_ok());
    let outcome = follower.apply(&[(3, entry)]).remove(0).remove(0);
    assert_eq!(outcome.unwrap_err().state, "XX001");
    assert!(follower.shared.is_fenced() && !leader.shared.is_fenced());
}

#[test]
fn what_was_written_before_a_crash_is_not_done_twice() {
    let (mut leader, _) = pair();
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("INSERT INTO bare VALUES (1, 'once')", &[])).unwrap();
    let entry = leader.close();
    // The commit is written down with the position before it, in case others follow it in the same pass.
    leader.apply(&[(2, entry.clone())]);
    let mut leader = leader.restarted();
    assert_eq!(leader.machine.position().unwrap(), Some(Bytes::from("1")));
    leader.apply(&[(2, entry)]);
    assert_eq!(leader.count("bare"), 1);
}

#[test]
fn a_flush_writes_the_position_down_and_undoes_the_open_transaction() {
    let (mut leader, _) = pair();
    let note = encode(Body::Note(crate::proto::log::Note { body: None }));
    leader.shared.open_transaction([7; 16]).unwrap();
    leader.transact(&sql("INSERT INTO bare VALUES (1, 'open')", &[])).unwrap();
    leader.apply(&[(2, note)]);
    assert!(leader.shared.writer().is_open(&[7; 16]), "nothing has changed");
    leader.machine.flush().unwrap()().unwrap();
    assert!(!leader.shared.writer().is_open(&[7; 16]));
    let leader = leader.restarted();
    assert_eq!(leader.machine.position().unwrap(), Some(Bytes::from("2")));
    assert_eq!(leader.count("bare"), 0);
}

#[test]
fn an_image_is_the_state_when_it_was_asked_for_and_a_damaged_one_changes_nothing() {
    let (mut leader, mut follower) = pair();
    leader.one(2, sql("INSERT INTO t VALUES (1, 1, 'in the image')", &[])).unwrap();
    let mut image = leader.machine.export().unwrap();
    leader.one(3, sql("INSERT INTO t VALUES (2, 2, 'later')", &[])).unwrap();
    let mut bytes = Vec::new();
    image.read_to_end(&mut bytes).unwrap();
    let position = Bytes::from_static(b"2");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    assert!(follower.machine.import(&mut &bytes[..], &position).is_err());
    bytes[middle] ^= 1;
    assert!(follower.machine.import(&mut &bytes[..bytes.len() - 1], &position).is_err());
    assert_eq!(follower.count("t"), 0);
    follower.machine.import(&mut &bytes[..], &position).unwrap();
    assert_eq!(follower.read::<String>("SELECT b FROM t"), "in the image");
    follower.one(3, sql("INSERT INTO t VALUES (2, 2, 'later')", &[])).unwrap();
    assert_same(&leader, &follower);
    let follower = follower.restarted();
    assert_eq!(follower.machine.position().unwrap(), Some(Bytes::from("3")));
    assert_same(&leader, &follower);
}

#[test]
fn the_outcome_of_a_repeated_write_is_that_of_the_first() {
    let (mut leader, _) = pair();
    let mut write = sql("INSERT INTO bare VALUES (1, 'once')", &[]);
    write.key = "payment 17".to_owned();
    for index in 2..=3 {
        assert_eq!(leader.one(index, write.clone()).unwrap().affected, 1);
        assert_eq!(leader.count("bare"), 1);
    }
    let mut refused = sql("INSERT INTO t VALUES (1, NULL, '')", &[]);
    refused.key = "other".to_owned();
    assert!(leader.one(4, refused.clone()).is_err());
    refused.body = sql("INSERT INTO t VALUES (1, 1, '')", &[]).body;
    assert!(leader.one(5, refused).is_ok(), "what failed may be tried again");
}

#[test]
fn a_plan_for_another_catalogue_is_not_carried_out() {
    let (mut leader, _) = pair();
    let mut write = sql("INSERT INTO bare VALUES (1, '')", &[]);
    write.catalog = 99;
    assert!(matches!(leader.one(2, write), Err(Failure { state, .. }) if state == crate::engine::STALE));
    assert_eq!(leader.count("bare"), 0);
}

/// What a client may do, by two numbers.
fn statement(kind: u8, n: i64) -> Write {
    let values = [Value::Integer(n % 12), Value::Integer(n), Value::Text(format!("text {n}"))];
    match kind % 8 {
        0 => sql("INSERT INTO t VALUES (?1, ?2, ?3)", &values),
        1 => sql("UPDATE t SET a = a + ?2, b = ?3 WHERE id >= ?1", &values),
        2 => sql("DELETE FROM t WHERE id = ?1 AND ?2 IS NOT ?3", &values),
        3 => sql("INSERT INTO child SELECT id FROM t WHERE id < ?1 AND ?2 IS NOT ?3", &values),
        4 => sql("INSERT INTO bare SELECT ?1 + ?2, b FROM t WHERE ?3 IS NOT NULL", &values),
        5 => sql("DELETE FROM bare WHERE rowid % 5 = ?1 % 5 AND ?2 IS NOT ?3", &values),
        6 => sql("INSERT INTO child VALUES (?1 + ?2 - ?2 + length(?3) * 0)", &values),
        _ => sql("UPDATE bare SET x = random() % 100 + ?1, y = ?3 WHERE x > ?2", &values),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Batch(Vec<(u8, i64)>),
    Transaction(Vec<(u8, i64)>, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let statements = || prop::collection::vec((any::<u8>(), 0..40i64), 1..6);
    prop_oneof![
        statements().prop_map(Step::Batch),
        (statements(), any::<bool>()).prop_map(|(all, back)| Step::Transaction(all, back)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the log is cut into passes, and whoever carries a transaction out.
    #[test]
    fn replicas_of_one_log_are_alike(steps in prop::collection::vec(step(), 1..12), cut in 1..5usize) {
        let (mut leader, mut follower) = pair();
        let (mut index, mut log) = (1, Vec::new());
        for step in steps {
            index += 1;
            let entry = match step {
                Step::Batch(all) => batch(all.into_iter().map(|(kind, n)| statement(kind, n)).collect()),
                Step::Transaction(all, back) => {
                    leader.shared.open_transaction([7; 16]).unwrap();
                    for (kind, n) in &all {
                        let _ = leader.transact(&statement(*kind, *n));
                    }
                    if back {
                        leader.shared.writer().set_savepoint(&[7; 16], "s").unwrap().unwrap();
                        for (kind, n) in &all {
                            let _ = leader.transact(&statement(kind.wrapping_add(1), *n + 1));
                        }
                        leader.shared.writer().roll_back_to(&[7; 16], "s").unwrap().unwrap();
                    }
                    let closed = leader.shared.writer().close_transaction(&[7; 16], "").unwrap();
                    match closed {
                        Ok(commit) => encode(Body::Commit(commit)),
                        Err(_) => {
                            leader.shared.writer().abort_transaction().unwrap();
                            continue;
                        }
                    }
                }
            };
            leader.apply(&[(index, entry.clone())]);
            log.push((index, entry));
        }
        for entries in log.chunks(cut) {
            follower.apply(entries);
        }
        prop_assert!(!follower.shared.is_fenced());
        assert_same(&leader, &follower);
    }
}
