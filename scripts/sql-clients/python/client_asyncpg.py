"""asyncpg: prepared statements, COPY of records, cursors, what it asks about types, transactions, its pool."""

import asyncio
import datetime as dt
import decimal
import io
import json
import uuid

import asyncpg

from common import Bank, Checks

P = "cl_asyncpg"
UTC = dt.timezone.utc
checks = Checks("asyncpg")
VALUES = [
    ("smallint", -32768),
    ("integer", 2147483647),
    ("bigint", -9223372036854775808),
    ("numeric", decimal.Decimal("12345678901234567890.0987654321")),
    ("real", 1.5),
    ("double precision", 0.1),
    ("text", "snow ☃ 'quote' \\ \n end"),
    ("varchar(10)", "ten chars!"),
    ("boolean", True),
    ("bytea", b"\x00\x01\xfe\xff"),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 123456)),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", dt.datetime(2024, 7, 1, 12, 30, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, hours=4, microseconds=5)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", "b,c", 'q"t', "", None]),
    ("json", {"a": [1, 2.5, None, "x"]}),
    ("jsonb", {"a": {"b": True}}),
]


def state_of(error):
    return getattr(error, "sqlstate", None)


async def connect():
    conn = await asyncpg.connect(timeout=10, command_timeout=60)
    for kind in ("json", "jsonb"):
        await conn.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    return conn


async def fails(what, state, call):
    try:
        await call
    except Exception as error:
        checks.eq(f"{what}: SQLSTATE", state_of(error), state)
    else:
        checks.that(what, False)


async def check_values(conn):
    columns = ", ".join(f"c{at} {kind}" for at, (kind, _) in enumerate(VALUES))
    await conn.execute(f"DROP TABLE IF EXISTS {P}_v; CREATE TABLE {P}_v ({columns})")
    marks = ", ".join(f"${at + 1}" for at in range(len(VALUES)))
    row = await conn.fetchrow(f"INSERT INTO {P}_v VALUES ({marks}) RETURNING *", *[value for _, value in VALUES])
    for (kind, value), got in zip(VALUES, row):
        checks.eq(kind, got, value)
    row = await conn.fetchrow(f"INSERT INTO {P}_v VALUES ({marks}) RETURNING *", *[None] * len(VALUES))
    checks.eq("nulls", tuple(row), (None,) * len(VALUES))
    statement = await conn.prepare(f"SELECT * FROM {P}_v WHERE c1 = $1")
    names = [(column.name, column.type.name) for column in statement.get_attributes()]
    checks.eq("columns", names[:4], [("c0", "int2"), ("c1", "int4"), ("c2", "int8"), ("c3", "numeric")])
    checks.eq("an array's type", [column.type.name for column in statement.get_attributes()][16], "int4[]")
    checks.eq("parameters", [kind.name for kind in statement.get_parameters()], ["int4"])
    await conn.execute(f"DROP TABLE {P}_v")


async def check_statements(conn):
    await conn.execute(f"DROP TABLE IF EXISTS {P}_t")
    tag = await conn.execute(f"CREATE TABLE {P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7)")
    checks.eq("tag of CREATE TABLE", tag, "CREATE TABLE")
    await conn.executemany(f"INSERT INTO {P}_t (id, name) VALUES ($1, $2)", [(at, f"n{at}") for at in range(1, 101)])
    checks.eq("executemany", await conn.fetchval(f"SELECT count(*) FROM {P}_t"), 100)
    statement = await conn.prepare(f"SELECT name, n FROM {P}_t WHERE id = $1")
    for at in (1, 50, 100):
        checks.eq("prepared", dict(await statement.fetchrow(at)), {"name": f"n{at}", "n": 7})
    checks.eq("prepared, no row", await statement.fetchrow(1000), None)
    upsert = f"INSERT INTO {P}_t VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET n = {P}_t.n + EXCLUDED.n RETURNING n"
    checks.eq("ON CONFLICT update", await conn.fetchval(upsert, 1, "z"), 8)
    checks.eq("ON CONFLICT nothing", await conn.execute(f"INSERT INTO {P}_t VALUES (1, 'z') ON CONFLICT DO NOTHING"), "INSERT 0 0")
    checks.eq("UPDATE", await conn.execute(f"UPDATE {P}_t SET n = $1 WHERE id > $2", 3, 97), "UPDATE 3")
    got = await conn.fetch(f"SELECT id FROM {P}_t WHERE id = ANY($1::integer[]) ORDER BY id", [3, 1, 999])
    checks.eq("= ANY of an array", [row["id"] for row in got], [1, 3])
    async with conn.transaction():
        seen = [row["id"] async for row in conn.cursor(f"SELECT id FROM {P}_t ORDER BY id", prefetch=7)]
        checks.eq("a cursor", seen, list(range(1, 101)))
        cursor = await conn.cursor(f"SELECT id FROM {P}_t WHERE id > $1 ORDER BY id", 10)
        checks.eq("fetch", [row["id"] for row in await cursor.fetch(3)], [11, 12, 13])
        await cursor.forward(5)
        checks.eq("fetch after forward", (await cursor.fetchrow())["id"], 19)
    await conn.execute(f"ALTER TABLE {P}_t ADD COLUMN extra integer")
    checks.eq("after DDL", (await conn.fetchrow(f"SELECT * FROM {P}_t WHERE id = $1", 2))["extra"], None)


async def check_copy(conn):
    rows = [(at, f"c{at}", None if at % 2 else at) for at in range(1000, 1500)]
    tag = await conn.copy_records_to_table(f"{P}_t", records=rows, columns=["id", "name", "n"])
    checks.eq("records copied", tag, "COPY 500")
    got = await conn.fetch(f"SELECT id, name, n FROM {P}_t WHERE id >= 1000 ORDER BY id")
    checks.eq("what was copied", [tuple(row) for row in got], rows)
    out = io.BytesIO()
    await conn.copy_from_query(f"SELECT id, name FROM {P}_t WHERE id < $1 ORDER BY id", 3, output=out, format="csv")
    checks.eq("copied out", out.getvalue(), b"1,n1\n2,n2\n")
    await conn.copy_to_table(f"{P}_t", source=io.BytesIO(b"2000,x\n2001,y\n"), columns=["id", "name"], format="csv")
    checks.eq("copied from CSV", await conn.fetchval(f"SELECT count(*) FROM {P}_t WHERE id >= 2000"), 2)
    await fails("a duplicate copied", "23505", conn.copy_records_to_table(f"{P}_t", records=[(3000, "x"), (1, "y")], columns=["id", "name"]))
    checks.eq("nothing of it", await conn.fetchval(f"SELECT count(*) FROM {P}_t WHERE id = 3000"), 0)


async def check_errors(conn):
    await fails("a duplicate key", "23505", conn.execute(f"INSERT INTO {P}_t VALUES (1, 'again')"))
    await fails("a null", "23502", conn.execute(f"INSERT INTO {P}_t VALUES ($1, $2)", 5000, None))
    await fails("no table", "42P01", conn.fetch(f"SELECT * FROM {P}_missing"))
    await fails("text for a number", "22P02", conn.fetch("SELECT $1::text::integer", "abc"))
    await fails("a syntax error", "42601", conn.fetch("SELEC 1"))
    try:
        await conn.execute(f"INSERT INTO {P}_t VALUES (1, 'again')")
    except asyncpg.UniqueViolationError as error:
        checks.eq("constraint", (error.constraint_name, error.table_name), (f"{P}_t_pkey", f"{P}_t"))
        checks.eq("detail", error.detail, "Key (id)=(1) already exists.")


async def check_transactions(conn):
    count = f"SELECT count(*) FROM {P}_t WHERE id >= 6000"
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute(f"INSERT INTO {P}_t VALUES (6000, 'a')")
    await fails("broken", "23505", conn.execute(f"INSERT INTO {P}_t VALUES (1, 'x')"))
    await fails("after an error", "25P02", conn.fetch("SELECT 1"))
    await transaction.rollback()
    checks.eq("rolled back", await conn.fetchval(count), 0)
    async with conn.transaction(isolation="serializable"):
        await conn.execute(f"INSERT INTO {P}_t VALUES (6001, 'b')")
        try:
            async with conn.transaction():
                await conn.execute(f"INSERT INTO {P}_t VALUES (6002, 'c')")
                await conn.execute(f"INSERT INTO {P}_t VALUES (1, 'dup')")
        except asyncpg.UniqueViolationError:
            pass
    checks.eq("savepoints", await conn.fetchval(count), 1)
    async with conn.transaction(readonly=True):
        await fails("a write in a read-only transaction", "25006", conn.execute(f"DELETE FROM {P}_t"))


async def check_pool():
    async with asyncpg.create_pool(min_size=2, max_size=3) as pool:
        got = await asyncio.gather(*[pool.fetchval(f"SELECT name FROM {P}_t WHERE id = $1", at) for at in range(1, 21)])
        checks.eq("a pool", got, [f"n{at}" for at in range(1, 21)])
        async with pool.acquire() as conn:
            await conn.execute("SET application_name = 'changed'")
        for _ in range(3):
            async with pool.acquire() as conn:
                checks.that("reset", await conn.fetchval("SELECT current_setting('application_name')") != "changed")
        try:
            await pool.fetchval("SELECT pg_sleep(30)", timeout=0.3)
            checks.that("a timeout", False)
        except asyncio.TimeoutError:
            checks.eq("usable after a timeout", await pool.fetchval("SELECT 1"), 1)


class Worker:
    """Runs on an event loop of its own, so that the bank's threads can wait for it."""

    conn = None

    def __init__(self):
        self.loop = asyncio.new_event_loop()

    def wait(self, work):
        return self.loop.run_until_complete(work)

    def connect(self):
        self.conn = self.wait(asyncpg.connect(timeout=10, command_timeout=15))

    def close(self):
        if self.conn is not None:
            self.conn.terminate()
            self.conn = None

    def run(self, sql):
        self.wait(self.conn.execute(sql))

    def query(self, sql):
        return [tuple(row) for row in self.wait(self.conn.fetch(sql))]

    def transfer(self, transfer, source, target, amount):
        self.wait(self.move(transfer, source, target, amount))

    async def move(self, transfer, source, target, amount):
        async with self.conn.transaction():
            put = f"INSERT INTO {P}_transfer VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING"
            if await self.conn.execute(put, transfer, source, target, amount) == "INSERT 0 0":
                return
            add = f"UPDATE {P}_account SET balance = balance + $1 WHERE id = $2"
            await self.conn.execute(add, -amount, source)
            await self.conn.execute(add, amount, target)


async def check_all():
    conn = await connect()
    for check in (check_values, check_statements, check_copy, check_errors, check_transactions):
        await check(conn)
    await check_pool()
    await conn.execute(f"DROP TABLE {P}_t")
    await conn.close()


asyncio.run(check_all())
Bank(checks, P, Worker, state_of).keep_going()
