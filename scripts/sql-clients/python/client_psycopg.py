"""psycopg 3: text and binary, COPY, cursors, pipelines, prepared statements, and the same asynchronously."""

import asyncio
import datetime as dt
import decimal
import uuid

import psycopg
from psycopg.types.json import Json, Jsonb

from common import Bank, Checks

P = "cl_psycopg"
UTC = dt.timezone.utc
checks = Checks("psycopg")
# (type, value to send and to get back)
VALUES = [
    ("smallint", -32768),
    ("integer", 2147483647),
    ("bigint", -9223372036854775808),
    ("numeric", decimal.Decimal("12345678901234567890.0987654321")),
    ("numeric(8,2)", decimal.Decimal("-99.50")),
    ("real", 1.5),
    ("double precision", 0.1),
    ("text", "snow ☃ 'quote' \\ \n end"),
    ("varchar(10)", "ten chars!"),
    ("boolean", True),
    ("bytea", b"\x00\x01\xfe\xff"),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 123456)),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", dt.datetime(2024, 7, 1, 12, 30, 0, 250000, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, hours=4, microseconds=5)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", "b,c", 'q"t', "", None]),
    ("numeric[]", [decimal.Decimal("1.10"), decimal.Decimal("2")]),
    ("json", {"a": [1, 2.5, None, "x"], "b": {"c": True}}),
    ("jsonb", {"z": 1, "a": [True, {}]}),
]


def state_of(error):
    return getattr(error, "sqlstate", None)


def connect(**options):
    return psycopg.connect(tcp_user_timeout=10000, options="-c timezone=UTC", **options)


def wrap(kind, value):
    return {"json": Json, "jsonb": Jsonb}.get(kind, lambda same: same)(value)


def check_values(conn):
    columns = ", ".join(f"c{at} {kind}" for at, (kind, _) in enumerate(VALUES))
    conn.execute(f"DROP TABLE IF EXISTS {P}_v")
    conn.execute(f"CREATE TABLE {P}_v (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns})")
    names = ", ".join(f"c{at}" for at in range(len(VALUES)))
    for mark in ("%s", "%t", "%b"):
        marks = ", ".join([mark] * len(VALUES))
        sent = [wrap(kind, value) for kind, value in VALUES]
        row = conn.execute(f"INSERT INTO {P}_v ({names}) VALUES ({marks}) RETURNING id", sent).fetchone()
        for binary in (False, True):
            got = conn.execute(f"SELECT {names} FROM {P}_v WHERE id = %s", row, binary=binary).fetchone()
            for (kind, value), back in zip(VALUES, got):
                checks.eq(f"{kind} by {mark}, binary {binary}", back, value)
    conn.execute(f"INSERT INTO {P}_v ({names}) VALUES ({', '.join(['%s'] * len(VALUES))})", [None] * len(VALUES))
    cursor = conn.execute(f"SELECT {names} FROM {P}_v ORDER BY id DESC LIMIT 1")
    checks.eq("nulls", cursor.fetchone(), (None,) * len(VALUES))
    checks.eq("names", [column.name for column in cursor.description], [f"c{at}" for at in range(len(VALUES))])
    checks.eq("types", [column.type_code for column in cursor.description][:4], [21, 23, 20, 1700])
    conn.execute(f"DROP TABLE {P}_v")


def check_statements(conn):
    conn.execute(f"DROP TABLE IF EXISTS {P}_t")
    conn.execute(f"CREATE TABLE {P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7)")
    cursor = conn.cursor()
    cursor.executemany(f"INSERT INTO {P}_t (id, name) VALUES (%s, %s)", [(at, f"n{at}") for at in range(1, 11)])
    checks.eq("executemany", cursor.rowcount, 10)
    got = conn.execute(f"INSERT INTO {P}_t VALUES (11, 'x', 1), (12, 'y', 2) RETURNING id, name, n").fetchall()
    checks.eq("RETURNING", got, [(11, "x", 1), (12, "y", 2)])
    upsert = f"INSERT INTO {P}_t VALUES (%s, %s, 1) ON CONFLICT (id) DO UPDATE SET n = {P}_t.n + EXCLUDED.n RETURNING n"
    checks.eq("ON CONFLICT update", conn.execute(upsert, (12, "z")).fetchone(), (3,))
    cursor = conn.execute(f"INSERT INTO {P}_t VALUES (12, 'z') ON CONFLICT DO NOTHING")
    checks.eq("ON CONFLICT nothing", (cursor.rowcount, cursor.statusmessage), (0, "INSERT 0 0"))
    checks.eq("UPDATE count", conn.execute(f"UPDATE {P}_t SET n = 0 WHERE id > %s", (9,)).rowcount, 3)
    many = [conn.execute(f"SELECT name FROM {P}_t WHERE id = %s", (at,), prepare=True).fetchone()[0] for at in range(1, 9)]
    checks.eq("prepared", many, [f"n{at}" for at in range(1, 9)])
    conn.execute(f"ALTER TABLE {P}_t ADD COLUMN extra integer")
    got = conn.execute(f"SELECT name FROM {P}_t WHERE id = %s", (1,), prepare=True).fetchone()
    checks.eq("prepared, after DDL", got, ("n1",))
    got = conn.execute(f"SELECT id FROM {P}_t WHERE id = ANY(%s) ORDER BY id", ([3, 1, 99],)).fetchall()
    checks.eq("= ANY of an array", got, [(1,), (3,)])
    with conn.transaction():
        with conn.cursor(name="far") as far:
            far.itersize = 3
            far.execute(f"SELECT id FROM {P}_t ORDER BY id")
            checks.eq("server-side cursor", [row[0] for row in far], list(range(1, 13)))
    with conn.transaction(), conn.cursor(name="held", scrollable=True) as far:
        far.execute(f"SELECT id FROM {P}_t ORDER BY id")
        far.scroll(4)
        checks.eq("scrolled", far.fetchone(), (5,))
        far.scroll(0, mode="absolute")
        checks.eq("scrolled back", far.fetchmany(2), [(1,), (2,)])


def check_errors(conn):
    def fails(what, state, sql, *params):
        checks.fails(what, state, state_of, lambda: conn.execute(sql, params or None))

    fails("a duplicate key", "23505", f"INSERT INTO {P}_t VALUES (1, 'again')")
    fails("a null", "23502", f"INSERT INTO {P}_t VALUES (50, NULL)")
    fails("no table", "42P01", f"SELECT * FROM {P}_missing")
    fails("no column", "42703", f"SELECT missing FROM {P}_t")
    fails("text for a number", "22P02", f"SELECT * FROM {P}_t WHERE id = 'abc'")
    fails("text for a number, sent", "22P02", f"SELECT %s::text::integer", "abc")
    fails("a syntax error", "42601", "SELEC 1")
    fails("division by zero", "22012", "SELECT 1 / %s", 0)
    try:
        conn.execute(f"INSERT INTO {P}_t VALUES (1, 'again')")
    except psycopg.errors.UniqueViolation as error:
        checks.eq("constraint", error.diag.constraint_name, f"{P}_t_pkey")
        checks.eq("table", error.diag.table_name, f"{P}_t")


def check_transactions(conn):
    count = f"SELECT count(*) FROM {P}_t WHERE id >= 100"
    conn.autocommit = False
    conn.execute(f"INSERT INTO {P}_t VALUES (100, 'a')")
    checks.eq("in a transaction", conn.info.transaction_status.name, "INTRANS")
    conn.rollback()
    checks.eq("rolled back", conn.execute(count).fetchone(), (0,))
    checks.fails("broken", "23505", state_of, lambda: conn.execute(f"INSERT INTO {P}_t VALUES (1, 'x')"))
    checks.fails("after an error", "25P02", state_of, lambda: conn.execute("SELECT 1"))
    checks.eq("failed transaction", conn.info.transaction_status.name, "INERROR")
    conn.rollback()
    conn.autocommit = True
    with conn.transaction():
        conn.execute(f"INSERT INTO {P}_t VALUES (101, 'b')")
        try:
            with conn.transaction():
                conn.execute(f"INSERT INTO {P}_t VALUES (102, 'c')")
                conn.execute(f"INSERT INTO {P}_t VALUES (1, 'dup')")
        except psycopg.errors.UniqueViolation:
            pass
        with conn.transaction():
            conn.execute(f"INSERT INTO {P}_t VALUES (103, 'd')")
    checks.eq("savepoints", conn.execute(f"SELECT id FROM {P}_t WHERE id >= 100 ORDER BY id").fetchall(), [(101,), (103,)])


def check_copy(conn):
    conn.execute(f"DROP TABLE IF EXISTS {P}_c")
    conn.execute(f"CREATE TABLE {P}_c (id integer, name text, at timestamptz)")
    rows = [(at, None if at % 3 == 0 else f"tab\t{at}\\", dt.datetime(2024, 1, 1, at % 24, tzinfo=UTC)) for at in range(200)]
    for form in ("", " (FORMAT BINARY)"):
        conn.execute(f"DELETE FROM {P}_c")
        with conn.cursor() as cursor, cursor.copy(f"COPY {P}_c FROM STDIN{form}") as copy:
            copy.set_types(["int4", "text", "timestamptz"])
            for row in rows:
                copy.write_row(row)
        checks.eq("copied in" + form, conn.execute(f"SELECT * FROM {P}_c ORDER BY id").fetchall(), rows)
        with conn.cursor() as cursor, cursor.copy(f"COPY (SELECT * FROM {P}_c ORDER BY id) TO STDOUT{form}") as copy:
            copy.set_types(["int4", "text", "timestamptz"])
            checks.eq("copied out" + form, list(copy.rows()), rows)
    with conn.cursor() as cursor, cursor.copy(f"COPY {P}_c FROM STDIN (FORMAT CSV, HEADER)") as copy:
        copy.write('id,name,at\n900,"a,""b""",\n')
    got = conn.execute(f"SELECT name, at FROM {P}_c WHERE id = 900").fetchone()
    checks.eq("copied from CSV", got, ('a,"b"', None))

    def bad():
        with conn.cursor() as cursor, cursor.copy(f"COPY {P}_c (id) FROM STDIN") as copy:
            copy.write("1\nx\n")

    checks.fails("a bad line", "22P02", state_of, bad)
    checks.eq("nothing of it", conn.execute(f"SELECT count(*) FROM {P}_c").fetchone(), (201,))
    conn.execute(f"DROP TABLE {P}_c")


def check_pipeline(conn):
    with conn.pipeline() as pipeline:
        cursors = [conn.execute(f"SELECT n + %s FROM {P}_t WHERE id = 1", (at,)) for at in range(5)]
        pipeline.sync()
        checks.eq("pipeline", [cursor.fetchone()[0] for cursor in cursors], [7, 8, 9, 10, 11])

    def broken():
        with conn.pipeline():
            conn.execute(f"INSERT INTO {P}_t VALUES (300, 'p')")
            conn.execute(f"INSERT INTO {P}_t VALUES (1, 'p')")

    checks.fails("an error in a pipeline", "23505", state_of, broken)
    checks.eq("all of the pipeline", conn.execute(f"SELECT count(*) FROM {P}_t WHERE id = 300").fetchone(), (0,))


async def check_async():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as conn:
        cursor = await conn.execute("SELECT %s::integer, %s::text", (5, "five"), binary=True)
        checks.eq("asynchronous", await cursor.fetchone(), (5, "five"))
        async with conn.transaction():
            await conn.execute(f"UPDATE {P}_t SET n = 55 WHERE id = 5")
        cursor = await conn.execute(f"SELECT n FROM {P}_t WHERE id = %s", (5,))
        checks.eq("asynchronous commit", await cursor.fetchone(), (55,))
        slow = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.3)
        conn.cancel()
        try:
            await slow
            checks.that("cancel", False)
        except psycopg.errors.QueryCanceled as error:
            checks.eq("cancelled", error.sqlstate, "57014")


class Worker:
    conn = None

    def connect(self):
        self.conn = connect(autocommit=True)

    def close(self):
        if self.conn is not None:
            self.conn.close()

    def run(self, sql):
        self.conn.execute(sql)

    def query(self, sql):
        return self.conn.execute(sql).fetchall()

    def transfer(self, transfer, source, target, amount):
        with self.conn.transaction():
            put = f"INSERT INTO {P}_transfer VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"
            if self.conn.execute(put, (transfer, source, target, amount)).rowcount == 0:
                return
            self.conn.execute(f"UPDATE {P}_account SET balance = balance - %s WHERE id = %s", (amount, source))
            self.conn.execute(f"UPDATE {P}_account SET balance = balance + %s WHERE id = %s", (amount, target))


with connect(autocommit=True) as connection:
    for check in (check_values, check_statements, check_errors, check_transactions, check_copy, check_pipeline):
        check(connection)
    asyncio.run(check_async())
    connection.execute(f"DROP TABLE {P}_t")
Bank(checks, P, Worker, state_of).keep_going()
