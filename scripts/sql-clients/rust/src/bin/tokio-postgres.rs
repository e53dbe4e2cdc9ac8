//! tokio-postgres: prepared statements with inferred types, streams of rows, COPY both ways, transactions, cancel.

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::{SinkExt, TryStreamExt, pin_mut};
use rust_decimal::Decimal;
use serde_json::Value;
use sql_clients::{Bank, Checks, Failure, Row, Worker, connect, tls};
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use uuid::Uuid;

const P: &str = "cl_tokio";

/// One value of a type, as a parameter, as a column, and NULL.
async fn both_ways<T>(client: &Client, checks: &Checks, kind: &str, value: T) -> Result<(), Failure>
where
    T: ToSql + Sync + PartialEq + std::fmt::Debug + Clone + for<'a> tokio_postgres::types::FromSql<'a>,
{
    client
        .batch_execute(&format!("DROP TABLE IF EXISTS {P}_v; CREATE TABLE {P}_v (id serial, v {kind})"))
        .await?;
    let put = client.prepare(&format!("INSERT INTO {P}_v (v) VALUES ($1) RETURNING v")).await?;
    let row = client.query_one(&put, &[&value]).await?;
    checks.eq(kind, row.try_get::<_, T>(0)?, value.clone())?;
    client.execute(&put, &[&None::<T>]).await?;
    let rows = client.query(&format!("SELECT v FROM {P}_v ORDER BY id"), &[]).await?;
    let got: Vec<Option<T>> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    checks.eq(kind, got, vec![Some(value), None])
}

async fn check_values(client: &Client, checks: &Checks) -> Result<(), Failure> {
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap_or_default();
    let time = NaiveTime::from_hms_micro_opt(23, 59, 58, 123_456).unwrap_or_default();
    let moment: DateTime<Utc> = day.and_time(time).and_utc();
    let json: Value = serde_json::json!({"a": [1, 2.5, null, "x"], "b": {"c": true}});
    both_ways(client, checks, "smallint", i16::MIN).await?;
    both_ways(client, checks, "integer", i32::MAX).await?;
    both_ways(client, checks, "bigint", i64::MIN).await?;
    both_ways(client, checks, "numeric", Decimal::new(-1_234_567_890_123, 5)).await?;
    both_ways(client, checks, "real", 1.5_f32).await?;
    both_ways(client, checks, "double precision", 0.1_f64).await?;
    both_ways(client, checks, "text", "snow ☃ 'q' \\ \n".to_owned()).await?;
    both_ways(client, checks, "varchar(10)", "ten chars!".to_owned()).await?;
    both_ways(client, checks, "boolean", true).await?;
    both_ways(client, checks, "bytea", vec![0_u8, 1, 254, 255]).await?;
    both_ways(client, checks, "date", day).await?;
    both_ways(client, checks, "time", time).await?;
    both_ways::<NaiveDateTime>(client, checks, "timestamp", day.and_time(time)).await?;
    both_ways(client, checks, "timestamptz", moment).await?;
    both_ways(client, checks, "uuid", Uuid::new_v4()).await?;
    both_ways(client, checks, "json", json.clone()).await?;
    both_ways(client, checks, "jsonb", json).await?;
    both_ways(client, checks, "integer[]", vec![Some(1), None, Some(3)]).await?;
    both_ways(
        client,
        checks,
        "text[]",
        vec!["a".to_owned(), "b,c".to_owned(), "q\"t".to_owned(), String::new()],
    )
    .await?;
    client.batch_execute(&format!("DROP TABLE {P}_v")).await?;
    Ok(())
}

async fn check_prepared(client: &Client, checks: &Checks) -> Result<(), Failure> {
    client
        .batch_execute(&format!(
            "DROP TABLE IF EXISTS {P}_t; \
             CREATE TABLE {P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7); \
             INSERT INTO {P}_t (id, name) SELECT g, 'n' || g FROM generate_series(1, 100) AS g"
        ))
        .await?;
    let statement =
        client.prepare(&format!("SELECT name, n, n + 1.5 FROM {P}_t WHERE id = $1 AND n > $2")).await?;
    checks.eq("inferred parameters", statement.params(), &[Type::INT4, Type::INT8][..])?;
    let types: Vec<Type> = statement.columns().iter().map(|column| column.type_().clone()).collect();
    checks.eq("inferred columns", types, vec![Type::TEXT, Type::INT8, Type::NUMERIC])?;
    let names: Vec<&str> = statement.columns().iter().map(tokio_postgres::Column::name).collect();
    checks.eq("names", names, vec!["name", "n", "?column?"])?;
    for id in 1..=5_i32 {
        let row = client.query_one(&statement, &[&id, &0_i64]).await?;
        checks.eq("a prepared row", row.try_get::<_, String>(0)?, format!("n{id}"))?;
    }
    let put = client.prepare(&format!("INSERT INTO {P}_t VALUES ($1, $2, $3), ($4, 'x', DEFAULT)")).await?;
    checks.eq("parameters of INSERT", put.params(), &[Type::INT4, Type::TEXT, Type::INT8, Type::INT4][..])?;
    checks.eq("inserted", client.execute(&put, &[&201, &"b", &5_i64, &202]).await?, 2)?;
    let typed = client.prepare_typed("SELECT $1 + 1, $2::text", &[Type::INT8]).await?;
    checks.eq("typed parameters", typed.params(), &[Type::INT8, Type::TEXT][..])?;
    let any = client
        .query(&format!("SELECT id FROM {P}_t WHERE id = ANY($1) ORDER BY 1"), &[&vec![3, 1, 999]])
        .await?;
    checks.eq("= ANY of an array", any.len(), 2)?;
    let stream =
        client.query_raw(&format!("SELECT id FROM {P}_t WHERE id <= $1 ORDER BY id"), [50_i32]).await?;
    let rows: Vec<tokio_postgres::Row> = stream.try_collect().await?;
    let ids: Vec<i32> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    checks.eq("a stream of rows", ids, (1..=50).collect::<Vec<i32>>())?;
    checks.that("no row", client.query_opt(&statement, &[&999, &0_i64]).await?.is_none())?;
    let upsert = format!(
        "INSERT INTO {P}_t VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET n = {P}_t.n + EXCLUDED.n RETURNING n"
    );
    checks.eq(
        "ON CONFLICT update",
        client.query_one(&upsert, &[&1, &"z"]).await?.try_get::<_, i64>(0)?,
        8,
    )?;
    let nothing = format!("INSERT INTO {P}_t VALUES (1, 'z') ON CONFLICT DO NOTHING");
    checks.eq("ON CONFLICT nothing", client.execute(&nothing, &[]).await?, 0)
}

async fn check_simple(client: &Client, checks: &Checks) -> Result<(), Failure> {
    let sql = format!("SELECT 1 AS one, NULL AS none; UPDATE {P}_t SET n = 0 WHERE id IN (4, 5); SELECT 'x'");
    let (mut rows, mut counts) = (Vec::new(), Vec::new());
    for message in client.simple_query(&sql).await? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push((row.get(0).map(str::to_owned), row.len())),
            SimpleQueryMessage::CommandComplete(count) => counts.push(count),
            _ => {}
        }
    }
    checks.eq("simple rows", rows, vec![(Some("1".to_owned()), 2), (Some("x".to_owned()), 1)])?;
    checks.eq("simple counts", counts, vec![1, 2, 1])
}

async fn check_errors(client: &Client, checks: &Checks) -> Result<(), Failure> {
    let sql = |text: &str| text.replace("{P}", P);
    for (what, state, text) in [
        ("a duplicate key", "23505", "INSERT INTO {P}_t VALUES (1, 'again')"),
        ("a null", "23502", "INSERT INTO {P}_t VALUES (500, NULL)"),
        ("no table", "42P01", "SELECT * FROM {P}_missing"),
        ("no column", "42703", "SELECT missing FROM {P}_t"),
        ("text for a number", "22P02", "SELECT 'abc'::integer"),
        ("a syntax error", "42601", "SELEC 1"),
    ] {
        checks.fails(what, state, client.query(&sql(text), &[]).await)?;
        checks.fails(what, state, client.simple_query(&sql(text)).await)?;
    }
    let error = client.execute(&sql("INSERT INTO {P}_t VALUES (1, 'again')"), &[]).await.err();
    let constraint =
        error.as_ref().and_then(|e| e.as_db_error()).and_then(|db| db.constraint().map(str::to_owned));
    checks.eq("the constraint", constraint, Some(format!("{P}_t_pkey")))
}

async fn check_transactions(client: &mut Client, checks: &Checks) -> Result<(), Failure> {
    let count = format!("SELECT count(*) FROM {P}_t WHERE id >= 1000");
    let mut tx = client.transaction().await?;
    tx.execute(&format!("INSERT INTO {P}_t VALUES (1000, 'a')"), &[]).await?;
    let point = tx.savepoint("inside").await?;
    point.execute(&format!("INSERT INTO {P}_t VALUES (1001, 'b')"), &[]).await?;
    checks.fails(
        "a duplicate",
        "23505",
        point.execute(&format!("INSERT INTO {P}_t VALUES (1, 'c')"), &[]).await,
    )?;
    checks.fails("after an error", "25P02", point.query("SELECT 1", &[]).await)?;
    point.rollback().await?;
    let portal = tx.bind(&format!("SELECT id FROM {P}_t ORDER BY id"), &[]).await?;
    checks.eq("a portal", tx.query_portal(&portal, 3).await?.len(), 3)?;
    checks.eq("more of it", tx.query_portal(&portal, 4).await?.first().map(|row| row.get(0)), Some(4_i32))?;
    tx.commit().await?;
    checks.eq("committed", client.query_one(&count, &[]).await?.try_get::<_, i64>(0)?, 1)?;
    let tx = client.transaction().await?;
    tx.execute(&format!("DELETE FROM {P}_t"), &[]).await?;
    drop(tx);
    checks.eq("undone", client.query_one(&count, &[]).await?.try_get::<_, i64>(0)?, 1)
}

async fn check_copy(client: &Client, checks: &Checks) -> Result<(), Failure> {
    client
        .batch_execute(&format!("DROP TABLE IF EXISTS {P}_c; CREATE TABLE {P}_c (id integer, name text)"))
        .await?;
    let sink = client.copy_in(&format!("COPY {P}_c FROM STDIN")).await?;
    pin_mut!(sink);
    sink.send(std::io::Cursor::new(b"1\tone\n2\t\\N\n".to_vec())).await?;
    sink.send(std::io::Cursor::new(b"3\ttab\\there\n".to_vec())).await?;
    checks.eq("copied in", sink.finish().await?, 3)?;
    let sink = client.copy_in::<_, std::io::Cursor<Vec<u8>>>(&format!("COPY {P}_c FROM STDIN")).await?;
    drop(sink);
    let sink = client.copy_in(&format!("COPY {P}_c FROM STDIN (FORMAT BINARY)")).await?;
    let writer = BinaryCopyInWriter::new(sink, &[Type::INT4, Type::TEXT]);
    pin_mut!(writer);
    for id in 4..=100_i32 {
        writer.as_mut().write(&[&id, &format!("b{id}")]).await?;
    }
    checks.eq("copied in, binary", writer.finish().await?, 97)?;
    let out =
        client.copy_out(&format!("COPY (SELECT * FROM {P}_c WHERE id < 5 ORDER BY id) TO STDOUT")).await?;
    let text = out.try_fold(Vec::new(), |all, part| async move { Ok([all, part.to_vec()].concat()) }).await?;
    let text = String::from_utf8_lossy(&text).into_owned();
    checks.eq("copied out", text, "1\tone\n2\t\\N\n3\ttab\\there\n4\tb4\n")?;
    let out = client.copy_out(&format!("COPY {P}_c TO STDOUT (FORMAT BINARY)")).await?;
    let rows: Vec<_> = BinaryCopyOutStream::new(out, &[Type::INT4, Type::TEXT]).try_collect().await?;
    let sum: i32 = rows.iter().map(|row| row.get::<i32>(0)).sum();
    checks.eq("copied out, binary", sum, 5050)?;
    let sink = client.copy_in(&format!("COPY {P}_c (id) FROM STDIN")).await?;
    pin_mut!(sink);
    sink.send(std::io::Cursor::new(b"x\n".to_vec())).await?;
    checks.fails("a bad line", "22P02", sink.finish().await)?;
    client.batch_execute(&format!("DROP TABLE {P}_c")).await?;
    Ok(())
}

async fn check_cancel(client: &Client, checks: &Checks) -> Result<(), Failure> {
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        match tls()? {
            Some(tls) => token.cancel_query(tls).await.map_err(Failure::from),
            None => token.cancel_query(NoTls).await.map_err(Failure::from),
        }
    };
    let (slow, cancelled) =
        futures_util::future::join(client.query("SELECT pg_sleep(30)", &[]), cancel).await;
    cancelled?;
    checks.fails("cancelled", "57014", slow)?;
    checks.eq("usable after cancel", client.query_one("SELECT 1", &[]).await?.try_get::<_, i32>(0)?, 1)
}

#[derive(Default)]
struct One(Option<Client>);

impl One {
    fn client(&mut self) -> Result<&mut Client, Failure> {
        self.0.as_mut().ok_or_else(|| Failure::local("not connected"))
    }
}

impl Worker for One {
    async fn connect(&mut self) -> Result<(), Failure> {
        self.0 = Some(connect().await?);
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        Ok(self.client()?.batch_execute(sql).await?)
    }

    async fn transfer(&mut self, id: Uuid, source: i32, target: i32, amount: i64) -> Result<(), Failure> {
        let tx = self.client()?.transaction().await?;
        let put = format!("INSERT INTO {P}_transfer VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING");
        if tx.execute(&put, &[&id, &source, &target, &amount]).await? == 1 {
            let add = format!("UPDATE {P}_account SET balance = balance + $1 WHERE id = $2");
            tx.execute(&add, &[&-amount, &source]).await?;
            tx.execute(&add, &[&amount, &target]).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn read(&mut self) -> Result<(Vec<Row>, Vec<(i32, i64)>), Failure> {
        let repeatable = tokio_postgres::IsolationLevel::RepeatableRead;
        let tx = self.client()?.build_transaction().isolation_level(repeatable).start().await?;
        let moved = tx.query(&format!("SELECT id, source, target, amount FROM {P}_transfer"), &[]).await?;
        let balances = tx.query(&format!("SELECT id, balance FROM {P}_account"), &[]).await?;
        tx.commit().await?;
        let moved =
            moved.iter().map(|row| (row.get::<_, Uuid>(0).to_string(), row.get(1), row.get(2), row.get(3)));
        Ok((moved.collect(), balances.iter().map(|row| (row.get(0), row.get(1))).collect()))
    }
}

async fn run() -> Result<(), Failure> {
    let checks = Checks::new("tokio-postgres");
    let mut client = connect().await?;
    check_values(&client, &checks).await?;
    check_prepared(&client, &checks).await?;
    check_simple(&client, &checks).await?;
    check_errors(&client, &checks).await?;
    check_transactions(&mut client, &checks).await?;
    check_copy(&client, &checks).await?;
    check_cancel(&client, &checks).await?;
    client.batch_execute(&format!("DROP TABLE {P}_t")).await?;
    Bank::new(&checks, P).keep_going::<One>().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tokio-postgres: {failure}");
            ExitCode::FAILURE
        }
    }
}
