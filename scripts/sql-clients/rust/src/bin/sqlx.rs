//! sqlx, with queries that are checked at run time: a pool, parameters and columns of every type, transactions.

use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use sql_clients::{Bank, Checks, Failure, Row as Transfer, Worker, hosts};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, FromRow, PgConnection, Row, Statement, TypeInfo};
use uuid::Uuid;

const P: &str = "cl_sqlx";

/// The text with the prefix of this client's tables in it.
fn sql(text: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.replace("{P}", P))
}

/// A connection to the first node that answers; sqlx knows one host only.
async fn connect() -> Result<(PgConnectOptions, PgConnection), Failure> {
    let mut last = Failure::local("PGHOST names no host");
    for (host, port) in hosts() {
        let options = PgConnectOptions::new().host(&host).port(port);
        match tokio::time::timeout(Duration::from_secs(10), PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => return Ok((options, connection)),
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = Failure::local("no answer in time"),
        }
    }
    Err(last)
}

async fn both_ways<T>(pool: &PgPool, checks: &Checks, kind: &str, value: T) -> Result<(), Failure>
where
    T: Clone + std::fmt::Debug + PartialEq + Send + Unpin + sqlx::Type<sqlx::Postgres> + 'static,
    T: for<'q> sqlx::Encode<'q, sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
{
    // A table of its own for each type: sqlx keeps what it prepared, and a plan must not change its types.
    let table = format!("{P}_v_{}", kind.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    let text = |text: &str| AssertSqlSafe(text.replace("{T}", &table).replace("{K}", kind));
    sqlx::raw_sql(text("DROP TABLE IF EXISTS {T}; CREATE TABLE {T} (id serial, v {K})"))
        .execute(pool)
        .await?;
    let put = "INSERT INTO {T} (v) VALUES ($1) RETURNING v";
    let got: T = sqlx::query_scalar(text(put)).bind(value.clone()).fetch_one(pool).await?;
    checks.eq(kind, &got, &value)?;
    sqlx::query(text(put)).bind(None::<T>).execute(pool).await?;
    let rows: Vec<Option<T>> =
        sqlx::query_scalar(text("SELECT v FROM {T} ORDER BY id")).fetch_all(pool).await?;
    checks.eq(kind, rows, vec![Some(value), None])?;
    sqlx::raw_sql(text("DROP TABLE {T}")).execute(pool).await?;
    Ok(())
}

async fn check_values(pool: &PgPool, checks: &Checks) -> Result<(), Failure> {
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap_or_default();
    let time = NaiveTime::from_hms_micro_opt(23, 59, 58, 123_456).unwrap_or_default();
    let moment: DateTime<Utc> = day.and_time(time).and_utc();
    let json = serde_json::json!({"a": [1, 2.5, null, "x"], "b": {"c": true}});
    both_ways(pool, checks, "smallint", i16::MIN).await?;
    both_ways(pool, checks, "integer", i32::MAX).await?;
    both_ways(pool, checks, "bigint", i64::MIN).await?;
    both_ways(pool, checks, "numeric", Decimal::new(-1_234_567_890_123, 5)).await?;
    both_ways(pool, checks, "real", 1.5_f32).await?;
    both_ways(pool, checks, "double precision", 0.1_f64).await?;
    both_ways(pool, checks, "text", "snow ☃ 'q' \\ \n".to_owned()).await?;
    both_ways(pool, checks, "varchar(10)", "ten chars!".to_owned()).await?;
    both_ways(pool, checks, "boolean", true).await?;
    both_ways(pool, checks, "bytea", vec![0_u8, 1, 254, 255]).await?;
    both_ways(pool, checks, "date", day).await?;
    both_ways(pool, checks, "time", time).await?;
    both_ways::<NaiveDateTime>(pool, checks, "timestamp", day.and_time(time)).await?;
    both_ways(pool, checks, "timestamptz", moment).await?;
    both_ways(pool, checks, "uuid", Uuid::new_v4()).await?;
    both_ways(pool, checks, "json", sqlx::types::Json(json.clone())).await?;
    both_ways(pool, checks, "jsonb", json).await?;
    both_ways(pool, checks, "integer[]", vec![1, 2, 3]).await?;
    both_ways(pool, checks, "text[]", vec!["a".to_owned(), "b,c".to_owned(), String::new()]).await
}

#[derive(Debug, PartialEq)]
struct Item {
    id: i32,
    name: String,
    n: Option<i64>,
}

impl FromRow<'_, PgRow> for Item {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self { id: row.try_get("id")?, name: row.try_get("name")?, n: row.try_get("n")? })
    }
}

async fn check_statements(pool: &PgPool, checks: &Checks) -> Result<(), Failure> {
    let make = "DROP TABLE IF EXISTS {P}_t; \
                CREATE TABLE {P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7); \
                INSERT INTO {P}_t (id, name) SELECT g, 'n' || g FROM generate_series(1, 100) AS g";
    sqlx::raw_sql(sql(make)).execute(pool).await?;
    let all: Vec<Item> =
        sqlx::query_as(sql("SELECT * FROM {P}_t WHERE id <= $1 ORDER BY id")).bind(2).fetch_all(pool).await?;
    let item = |id: i32| Item { id, name: format!("n{id}"), n: Some(7) };
    checks.eq("rows of a type", all, vec![item(1), item(2)])?;
    let query = sql("SELECT id FROM {P}_t WHERE id > $1 ORDER BY id");
    let ids: Vec<i32> = sqlx::query_scalar::<_, i32>(query).bind(90).fetch(pool).try_collect().await?;
    checks.eq("a stream", ids, (91..=100).collect::<Vec<i32>>())?;
    let none = sqlx::query(sql("SELECT 1 FROM {P}_t WHERE id = $1")).bind(999).fetch_optional(pool).await?;
    checks.that("no row", none.is_none())?;
    let done =
        sqlx::query(sql("UPDATE {P}_t SET n = n + $1 WHERE id = ANY($2)")).bind(1_i64).bind(vec![1, 2, 999]);
    checks.eq("rows affected", done.execute(pool).await?.rows_affected(), 2)?;
    let upsert = "INSERT INTO {P}_t VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET n = {P}_t.n + EXCLUDED.n RETURNING n";
    let n: i64 = sqlx::query_scalar(sql(upsert)).bind(1).bind("z").fetch_one(pool).await?;
    checks.eq("ON CONFLICT update", n, 9)?;
    let nothing =
        sqlx::query(sql("INSERT INTO {P}_t VALUES (1, 'z') ON CONFLICT DO NOTHING")).execute(pool).await?;
    checks.eq("ON CONFLICT nothing", nothing.rows_affected(), 0)?;
    let mut connection = pool.acquire().await?;
    let statement =
        connection.prepare(sqlx::SqlStr::from_static("SELECT 1 AS a, 'x'::text AS b, $1::uuid AS c")).await?;
    let columns: Vec<(&str, &str)> =
        statement.columns().iter().map(|c| (c.name(), c.type_info().name())).collect();
    checks.eq("described", columns, vec![("a", "INT4"), ("b", "TEXT"), ("c", "UUID")])?;
    drop(connection);
    let tasks = (1..=30).map(|id| {
        sqlx::query_scalar::<_, String>(sql("SELECT name FROM {P}_t WHERE id = $1")).bind(id).fetch_one(pool)
    });
    checks.eq("thirty at once", futures_util::future::try_join_all(tasks).await?.len(), 30)
}

async fn check_errors(pool: &PgPool, checks: &Checks) -> Result<(), Failure> {
    for (what, state, text) in [
        ("a duplicate key", "23505", "INSERT INTO {P}_t VALUES (1, 'again')"),
        ("a null", "23502", "INSERT INTO {P}_t VALUES (500, NULL)"),
        ("no table", "42P01", "SELECT * FROM {P}_missing"),
        ("text for a number", "22P02", "SELECT 'abc'::integer"),
        ("a syntax error", "42601", "SELEC 1"),
        ("division by zero", "22012", "SELECT 1 / 0"),
    ] {
        checks.fails(what, state, sqlx::query(sql(text)).execute(pool).await)?;
        checks.fails(what, state, sqlx::raw_sql(sql(text)).execute(pool).await)?;
    }
    let error = sqlx::query(sql("INSERT INTO {P}_t VALUES (1, 'again')")).execute(pool).await.err();
    let database = error.as_ref().and_then(|error| error.as_database_error());
    checks.that("a unique violation", database.is_some_and(|db| db.is_unique_violation()))?;
    checks.eq("the constraint", database.and_then(|db| db.constraint()), Some(format!("{P}_t_pkey").as_str()))
}

async fn count(pool: &PgPool) -> Result<i64, Failure> {
    Ok(sqlx::query_scalar(sql("SELECT count(*) FROM {P}_t WHERE id >= 1000")).fetch_one(pool).await?)
}

async fn check_transactions(pool: &PgPool, checks: &Checks) -> Result<(), Failure> {
    let mut tx = pool.begin().await?;
    sqlx::query(sql("INSERT INTO {P}_t VALUES (1000, 'a')")).execute(&mut *tx).await?;
    let mut inner = tx.begin().await?;
    sqlx::query(sql("INSERT INTO {P}_t VALUES (1001, 'b')")).execute(&mut *inner).await?;
    let duplicate = sqlx::query(sql("INSERT INTO {P}_t VALUES (1, 'c')")).execute(&mut *inner).await;
    checks.fails("a duplicate", "23505", duplicate)?;
    checks.fails("after an error", "25P02", sqlx::query("SELECT 1").execute(&mut *inner).await)?;
    inner.rollback().await?;
    let mut inner = tx.begin().await?;
    sqlx::query(sql("INSERT INTO {P}_t VALUES (1002, 'd')")).execute(&mut *inner).await?;
    inner.commit().await?;
    tx.commit().await?;
    checks.eq("committed", count(pool).await?, 2)?;
    let mut tx = pool.begin().await?;
    sqlx::query(sql("DELETE FROM {P}_t")).execute(&mut *tx).await?;
    drop(tx);
    checks.eq("undone", count(pool).await?, 2)
}

async fn check_copy(pool: &PgPool, checks: &Checks) -> Result<(), Failure> {
    let mut connection = pool.acquire().await?;
    let mut copy = connection.copy_in_raw(&format!("COPY {P}_t (id, name) FROM STDIN (FORMAT csv)")).await?;
    copy.send(b"2000,x\n2001,\"y,z\"\n".as_slice()).await?;
    checks.eq("copied in", copy.finish().await?, 2)?;
    let out =
        format!("COPY (SELECT id, name FROM {P}_t WHERE id >= 2000 ORDER BY id) TO STDOUT (FORMAT csv)");
    let parts: Vec<_> = connection.copy_out_raw(&out).await?.try_collect().await?;
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_vec()).collect();
    checks.eq("copied out", String::from_utf8_lossy(&bytes).into_owned(), "2000,x\n2001,\"y,z\"\n")
}

#[derive(Default)]
struct One(Option<PgConnection>);

impl One {
    fn connection(&mut self) -> Result<&mut PgConnection, Failure> {
        self.0.as_mut().ok_or_else(|| Failure::local("not connected"))
    }
}

impl Worker for One {
    async fn connect(&mut self) -> Result<(), Failure> {
        self.0 = Some(connect().await?.1);
        Ok(())
    }

    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        sqlx::raw_sql(sql(text)).execute(self.connection()?).await?;
        Ok(())
    }

    async fn transfer(&mut self, id: Uuid, source: i32, target: i32, amount: i64) -> Result<(), Failure> {
        let work = async {
            let mut tx = self.connection()?.begin().await?;
            let put = "INSERT INTO {P}_transfer VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";
            let put = sqlx::query(sql(put)).bind(id).bind(source).bind(target).bind(amount);
            if put.execute(&mut *tx).await?.rows_affected() == 1 {
                for (account, sum) in [(source, -amount), (target, amount)] {
                    let add = sqlx::query(sql("UPDATE {P}_account SET balance = balance + $1 WHERE id = $2"));
                    add.bind(sum).bind(account).execute(&mut *tx).await?;
                }
            }
            Ok(tx.commit().await?)
        };
        tokio::time::timeout(Duration::from_secs(15), work)
            .await
            .map_err(|_| Failure::local("no answer in time"))?
    }

    async fn read(&mut self) -> Result<(Vec<Transfer>, Vec<(i32, i64)>), Failure> {
        let mut tx = self.connection()?.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        let moved = sqlx::query_as(sql("SELECT id::text, source, target, amount FROM {P}_transfer"))
            .fetch_all(&mut *tx)
            .await?;
        let balances = sqlx::query_as(sql("SELECT id, balance FROM {P}_account")).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        Ok((moved, balances))
    }
}

async fn run() -> Result<(), Failure> {
    let checks = Checks::new("sqlx");
    let (options, _) = connect().await?;
    let pool = PgPoolOptions::new().max_connections(4).connect_with(options).await?;
    check_values(&pool, &checks).await?;
    check_statements(&pool, &checks).await?;
    check_errors(&pool, &checks).await?;
    check_transactions(&pool, &checks).await?;
    check_copy(&pool, &checks).await?;
    sqlx::query(sql("DROP TABLE {P}_t")).execute(&pool).await?;
    pool.close().await;
    Bank::new(&checks, P).keep_going::<One>().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sqlx: {failure}");
            ExitCode::FAILURE
        }
    }
}
