"""pg8000, all in Python: its DB-API and its native interface."""

import datetime as dt
import decimal
import io
import os
import ssl
import uuid

import pg8000.dbapi
import pg8000.native

from common import Bank, Checks, hosts

P = "cl_pg8000"
UTC = dt.timezone.utc
checks = Checks("pg8000")
VALUES = [
    ("smallint", -32768),
    ("integer", 2147483647),
    ("bigint", -9223372036854775808),
    ("numeric", decimal.Decimal("12345678901234567890.0987654321")),
    ("double precision", 0.1),
    ("text", "snow ☃ 'quote' \\ \n end"),
    ("varchar(10)", "ten chars!"),
    ("boolean", True),
    ("bytea", b"\x00\x01\xfe\xff"),
    ("date", dt.date(2024, 2, 29)),
    ("time", dt.time(23, 59, 59, 123456)),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 999999)),
    ("timestamptz", dt.datetime(2024, 7, 1, 12, 30, tzinfo=UTC)),
    ("interval", dt.timedelta(days=3, seconds=14405)),
    ("uuid", uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("integer[]", [1, None, 3]),
    ("text[]", ["a", "b,c", 'q"t', "", None]),
    ("jsonb", {"a": [1, None, {"b": True}]}),
]


def state_of(error):
    said = error.args[0] if error.args else None
    return said.get("C") if isinstance(said, dict) else None


def settings(host, port):
    secure = None
    if os.environ.get("PGSSLMODE", "prefer") not in ("disable", "allow", "prefer"):
        secure = ssl.create_default_context(cafile=os.environ.get("PGSSLROOTCERT"))
        secure.check_hostname = os.environ["PGSSLMODE"] == "verify-full"
    names = {"user": "PGUSER", "password": "PGPASSWORD", "database": "PGDATABASE"}
    named = {name: os.environ.get(variable) for name, variable in names.items()}
    return dict(named, host=host, port=port, ssl_context=secure, timeout=15)


def connect(make=pg8000.dbapi.connect):
    """The first node that answers; the driver knows one host only."""
    last = None
    for host, port in hosts():
        try:
            return make(**settings(host, port))
        except Exception as error:
            last = error
    raise last


def check_values(conn):
    cursor = conn.cursor()
    columns = ", ".join(f"c{at} {kind}" for at, (kind, _) in enumerate(VALUES))
    cursor.execute(f"DROP TABLE IF EXISTS {P}_v")
    cursor.execute(f"CREATE TABLE {P}_v ({columns})")
    marks = ", ".join(["%s"] * len(VALUES))
    cursor.execute(f"INSERT INTO {P}_v VALUES ({marks}) RETURNING *", [value for _, value in VALUES])
    for (kind, value), got in zip(VALUES, cursor.fetchone()):
        checks.eq(kind, got, value)
    cursor.execute(f"INSERT INTO {P}_v VALUES ({marks}) RETURNING *", [None] * len(VALUES))
    checks.eq("nulls", list(cursor.fetchone()), [None] * len(VALUES))
    cursor.execute(f"SELECT c0, c3 AS other FROM {P}_v")
    checks.eq("description", [column[:2] for column in cursor.description], [("c0", 21), ("other", 1700)])
    cursor.execute(f"DROP TABLE {P}_v")
    conn.commit()


def check_statements(conn):
    cursor = conn.cursor()
    cursor.execute(f"DROP TABLE IF EXISTS {P}_t")
    cursor.execute(f"CREATE TABLE {P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7)")
    cursor.executemany(f"INSERT INTO {P}_t (id, name) VALUES (%s, %s)", [(at, f"n{at}") for at in range(1, 11)])
    cursor.execute(f"SELECT id, name FROM {P}_t WHERE id > %s ORDER BY id", (7,))
    checks.eq("rows", [tuple(row) for row in cursor.fetchall()], [(8, "n8"), (9, "n9"), (10, "n10")])
    cursor.execute(f"UPDATE {P}_t SET n = n + 1 WHERE id <= %s", (4,))
    checks.eq("rowcount", cursor.rowcount, 4)
    upsert = f"INSERT INTO {P}_t VALUES (%s, %s, 1) ON CONFLICT (id) DO UPDATE SET n = {P}_t.n + EXCLUDED.n RETURNING n"
    cursor.execute(upsert, (1, "z"))
    checks.eq("ON CONFLICT update", cursor.fetchone()[0], 9)
    cursor.execute(f"INSERT INTO {P}_t VALUES (1, 'z') ON CONFLICT DO NOTHING")
    checks.eq("ON CONFLICT nothing", cursor.rowcount, 0)
    conn.commit()


def check_copy(conn):
    cursor = conn.cursor()
    cursor.execute(f"COPY {P}_t (id, name) FROM STDIN WITH (FORMAT csv)", stream=io.BytesIO(b'50,"a,b"\n51,c\n'))
    out = io.BytesIO()
    cursor.execute(f"COPY (SELECT id, name FROM {P}_t WHERE id >= 50 ORDER BY id) TO STDOUT WITH (FORMAT csv)", stream=out)
    checks.eq("COPY both ways", out.getvalue(), b'50,"a,b"\n51,c\n')
    conn.commit()


def check_errors(conn):
    def fails(what, state, sql, *params):
        checks.fails(what, state, state_of, lambda: conn.cursor().execute(sql, params))
        conn.rollback()

    fails("a duplicate key", "23505", f"INSERT INTO {P}_t VALUES (1, 'again')")
    fails("a null", "23502", f"INSERT INTO {P}_t VALUES (%s, %s)", 500, None)
    fails("no table", "42P01", f"SELECT * FROM {P}_missing")
    fails("text for a number", "22P02", "SELECT CAST(CAST(%s AS text) AS integer)", "abc")
    fails("a syntax error", "42601", "SELEC 1")
    cursor = conn.cursor()
    cursor.execute(f"INSERT INTO {P}_t VALUES (100, 'a')")
    checks.fails("broken", "23505", state_of, lambda: cursor.execute(f"INSERT INTO {P}_t VALUES (1, 'x')"))
    checks.fails("after an error", "25P02", state_of, lambda: cursor.execute("SELECT 1"))
    conn.rollback()
    cursor.execute(f"INSERT INTO {P}_t VALUES (101, 'b')")
    cursor.execute("SAVEPOINT one")
    cursor.execute(f"INSERT INTO {P}_t VALUES (102, 'c')")
    cursor.execute("ROLLBACK TO SAVEPOINT one")
    conn.commit()
    cursor.execute(f"SELECT id FROM {P}_t WHERE id >= 100")
    checks.eq("savepoint and commit", [row[0] for row in cursor.fetchall()], [101])
    conn.commit()


def check_native():
    conn = connect(pg8000.native.Connection)
    rows = conn.run(f"SELECT id, name FROM {P}_t WHERE id = :id OR name = :name ORDER BY id", id=2, name="n3")
    checks.eq("named parameters", [tuple(row) for row in rows], [(2, "n2"), (3, "n3")])
    checks.eq("columns", [column["name"] for column in conn.columns], ["id", "name"])
    prepared = conn.prepare(f"SELECT name FROM {P}_t WHERE id = :id")
    checks.eq("prepared", [prepared.run(id=at)[0][0] for at in (1, 5, 10)], ["n1", "n5", "n10"])
    prepared.close()
    conn.run("BEGIN")
    conn.run(f"DELETE FROM {P}_t")
    checks.eq("row_count", conn.row_count, 13)
    conn.run("ROLLBACK")
    checks.eq("count", conn.run(f"SELECT count(*) FROM {P}_t")[0][0], 13)
    conn.run(f"DROP TABLE {P}_t")
    conn.close()


class Worker:
    conn = None

    def connect(self):
        self.conn = connect(pg8000.native.Connection)

    def close(self):
        try:
            if self.conn is not None:
                self.conn.close()
        except Exception:
            pass
        self.conn = None

    def run(self, sql):
        self.conn.run(sql)

    def query(self, sql):
        return [tuple(row) for row in self.conn.run(sql)]

    def transfer(self, transfer, source, target, amount):
        run = self.conn.run
        run("BEGIN")
        run(
            f"INSERT INTO {P}_transfer VALUES (:id, :source, :target, :amount) ON CONFLICT (id) DO NOTHING",
            id=transfer, source=source, target=target, amount=amount,
        )
        if self.conn.row_count == 1:
            run(f"UPDATE {P}_account SET balance = balance - :amount WHERE id = :id", amount=amount, id=source)
            run(f"UPDATE {P}_account SET balance = balance + :amount WHERE id = :id", amount=amount, id=target)
        run("COMMIT")


connection = connect()
for check in (check_values, check_statements, check_copy, check_errors):
    check(connection)
connection.close()
check_native()
Bank(checks, P, Worker, state_of).keep_going()
