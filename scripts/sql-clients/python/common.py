"""What the Python clients share: checks, and the transfers that go on while nodes come and go."""

import json
import os
import random
import sys
import threading
import time
import uuid

ACCOUNTS = 20
OPENING = 1000
# What a client may try again: a conflict, a node that stops or starts, one that may not write.
AGAIN = {"40001", "40P01", "57P01", "57P02", "57P03", "25006"}


def seconds(name, default):
    return float(os.environ.get(name, default))


def hosts():
    """(host, port) of every node that PGHOST and PGPORT name."""
    names = os.environ.get("PGHOST", "localhost").split(",")
    ports = os.environ.get("PGPORT", "5432").split(",")
    return [(name, int(ports[at] if len(ports) > 1 else ports[0])) for at, name in enumerate(names)]


class Checks:
    """Counts what held; the first thing that does not hold ends the client."""

    def __init__(self, client):
        self.client, self.count = client, 0

    def that(self, what, held, *seen):
        if not held:
            raise SystemExit(f"{self.client}: {what} does not hold: {seen!r}")
        self.count += 1

    def eq(self, what, got, want):
        """Equal, and of the same kind: True is not 1. A driver may have its own kind of UUID."""
        alike = isinstance(got, type(want)) and isinstance(got, bool) == isinstance(want, bool)
        self.that(what, alike and got == want, got, "instead of", want)

    def fails(self, what, state, state_of, call):
        """`call` must raise an error whose SQLSTATE is `state`."""
        try:
            call()
        except Exception as error:
            self.that(f"{what}: SQLSTATE", state_of(error) == state, state_of(error), error)
        else:
            self.that(what, False, "no error", state)


class Bank:
    """Transfers between accounts, each under an id that the client made.

    `worker()` makes an object with `connect()`, `close()`, `transfer(id, source, target, amount)`, which commits or
    raises, `query(sql)`, a list of tuples, and `run(sql)`; `state_of(error)` gives the SQLSTATE, or None.
    """

    def __init__(self, checks, prefix, worker, state_of):
        self.checks, self.prefix, self.worker, self.state_of = checks, prefix, worker, state_of
        self.acknowledged, self.retries = [], 0
        self.lock = threading.Lock()
        self.failure = None

    def create(self):
        one, p = self.worker(), self.prefix
        one.ready = False
        rows = ", ".join(f"({at}, {OPENING})" for at in range(ACCOUNTS))

        def make():
            one.run(f"DROP TABLE IF EXISTS {p}_account, {p}_transfer")
            one.run(f"CREATE TABLE {p}_account (id integer PRIMARY KEY, balance bigint NOT NULL)")
            one.run(
                f"CREATE TABLE {p}_transfer (id uuid PRIMARY KEY, source integer NOT NULL, "
                "target integer NOT NULL, amount bigint NOT NULL)"
            )
            one.run(f"INSERT INTO {p}_account VALUES {rows}")

        self.persist(one, make)
        one.close()

    def may_retry(self, error):
        state = self.state_of(error)
        return state is None or state in AGAIN or state.startswith("08")

    def persist(self, one, act):
        """Does `act` until it is done; connects again after each failure but a plain conflict."""
        since = None
        while True:
            try:
                if not one.ready:
                    one.connect()
                    one.ready = True
                return act()
            except Exception as error:
                if not self.may_retry(error):
                    raise
                with self.lock:
                    self.retries += 1
                now = time.monotonic()
                if self.state_of(error) in ("40001", "40P01"):
                    since = None
                    one.ready = self.rolled_back(one)
                    time.sleep(random.uniform(0, 0.005))
                    continue
                since = since or now
                if now - since > seconds("PATIENCE", 60):
                    raise
                one.ready = False
                one.close()
                time.sleep(0.1)

    def rolled_back(self, one):
        try:
            one.run("ROLLBACK")
            return True
        except Exception:
            one.close()
            return False

    def work(self, until):
        one = self.worker()
        one.ready = False
        try:
            while time.monotonic() < until and self.failure is None:
                transfer, amount = uuid.uuid4(), random.randint(1, 50)
                source, target = random.sample(range(ACCOUNTS), 2)
                self.persist(one, lambda: one.transfer(transfer, source, target, amount))
                with self.lock:
                    self.acknowledged.append(transfer)
        except BaseException as error:
            self.failure = error
        finally:
            one.close()

    def verify(self):
        one, p = self.worker(), self.prefix
        one.ready = False

        def read():
            one.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
            moved = one.query(f"SELECT id::text, source, target, amount FROM {p}_transfer")
            balances = dict(map(tuple, one.query(f"SELECT id, balance FROM {p}_account")))
            one.run("COMMIT")
            return moved, balances

        moved, balances = self.persist(one, read)
        ids = [row[0] for row in moved]
        self.checks.that("no transfer is there twice", len(ids) == len(set(ids)))
        missing = {str(one) for one in self.acknowledged} - set(ids)
        self.checks.that("every acknowledged transfer is there", not missing, len(missing), sorted(missing)[:5])
        self.checks.eq("the sum of the balances", int(sum(balances.values())), ACCOUNTS * OPENING)
        wanted = dict.fromkeys(range(ACCOUNTS), OPENING)
        for _, source, target, amount in moved:
            wanted[source] -= amount
            wanted[target] += amount
        self.checks.that("every transfer was made once", balances == wanted, balances, wanted)
        one.run(f"DROP TABLE {p}_account, {p}_transfer")
        one.close()

    def keep_going(self):
        self.create()
        until = time.monotonic() + seconds("DURATION", 5)
        threads = [threading.Thread(target=self.work, args=(until,)) for _ in range(int(seconds("WORKERS", 2)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failure is not None:
            raise self.failure
        self.verify()
        self.report()

    def report(self):
        line = {"client": self.checks.client, "checks": self.checks.count}
        line.update(acknowledged=len(self.acknowledged), retries=self.retries)
        print(json.dumps(line))
        sys.stdout.flush()
