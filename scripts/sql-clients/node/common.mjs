// What the Node client needs beside its own checks: connections, and the transfers that go on while nodes come and go.

import { readFileSync } from 'node:fs';
import { randomInt, randomUUID } from 'node:crypto';
import { isDeepStrictEqual, inspect } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const ACCOUNTS = 20;
const OPENING = 1000;
// What may be tried again: a conflict, a node that stops or starts, one that may not write.
const AGAIN = new Set(['40001', '40P01', '57P01', '57P02', '57P03', '25006']);
const setting = (name, otherwise) => Number(process.env[name] ?? otherwise);

export class Checks {
  constructor(client) {
    this.client = client;
    this.count = 0;
  }

  that(what, held, ...seen) {
    if (!held) throw Object.assign(new Error(`${what} does not hold: ${inspect(seen)}`), { broken: true });
    this.count += 1;
  }

  eq(what, got, want) {
    this.that(what, isDeepStrictEqual(got, want), got, 'instead of', want);
  }

  async fails(what, state, call) {
    let error;
    try {
      await call();
    } catch (caught) {
      error = caught;
    }
    this.that(`${what}: an error ${state}`, error?.code === state, error?.code, error?.message);
  }
}

// How to reach each node that PGHOST names; the driver knows one host only.
export function targets() {
  const names = (process.env.PGHOST ?? 'localhost').split(',');
  const ports = (process.env.PGPORT ?? '5432').split(',').map(Number);
  const mode = process.env.PGSSLMODE ?? 'disable';
  const root = process.env.PGSSLROOTCERT;
  const secure = !['disable', 'allow', 'prefer'].includes(mode);
  return names.map((host, at) => ({
    host,
    port: ports[at] ?? ports[0],
    user: process.env.PGUSER,
    password: process.env.PGPASSWORD,
    database: process.env.PGDATABASE,
    ssl: secure && {
      ...(root ? { ca: readFileSync(root) } : { rejectUnauthorized: false }),
      ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    },
    connectionTimeoutMillis: 10000,
    query_timeout: 40000,
  }));
}

// A client of the first node that answers, and how it was reached.
export async function connect() {
  let last;
  for (const target of targets()) {
    const client = new pg.Client(target);
    // A lost connection is also told to whoever waits for a query.
    client.on('error', () => {});
    try {
      await client.connect();
      return { client, target };
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

export class Bank {
  constructor(checks, prefix) {
    Object.assign(this, { checks, p: prefix, acknowledged: [], retries: 0 });
  }

  mayRetry(error) {
    const state = error.code;
    if (error.broken) return false;
    // Node's own codes (ECONNRESET and others) are longer; a lost connection may have none.
    return typeof state !== 'string' || state.length !== 5 || AGAIN.has(state) || state.startsWith('08');
  }

  // Does it until it is done; connects again after each failure but a plain conflict.
  async persist(slot, act) {
    let since;
    for (;;) {
      try {
        slot.client ??= (await connect()).client;
        return await act(slot.client);
      } catch (error) {
        if (!this.mayRetry(error)) throw error;
        this.retries += 1;
        if (error.code === '40001' || error.code === '40P01') {
          const undone = await slot.client.query('ROLLBACK').then(() => true, () => false);
          if (undone) {
            since = undefined;
            await sleep(randomInt(5));
            continue;
          }
        }
        slot.client?.end().catch(() => {});
        slot.client = undefined;
        since ??= Date.now();
        if (Date.now() - since > setting('PATIENCE', 60) * 1000) throw error;
        await sleep(100);
      }
    }
  }

  async create(client) {
    await client.query(`DROP TABLE IF EXISTS ${this.p}_account, ${this.p}_transfer`);
    await client.query(`CREATE TABLE ${this.p}_account (id integer PRIMARY KEY, balance bigint NOT NULL)`);
    await client.query(`CREATE TABLE ${this.p}_transfer (id uuid PRIMARY KEY, source integer NOT NULL,
      target integer NOT NULL, amount bigint NOT NULL)`);
    await client.query(`INSERT INTO ${this.p}_account SELECT g, ${OPENING} FROM generate_series(0, ${ACCOUNTS - 1}) AS g`);
  }

  async transfer(client, id, source, target, amount) {
    await client.query('BEGIN');
    const put = `INSERT INTO ${this.p}_transfer VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`;
    const { rowCount } = await client.query({ name: 'put', text: put, values: [id, source, target, amount] });
    if (rowCount === 1) {
      const text = `UPDATE ${this.p}_account SET balance = balance + $1 WHERE id = $2`;
      await client.query({ name: 'add', text, values: [-amount, source] });
      await client.query({ name: 'add', text, values: [amount, target] });
    }
    await client.query('COMMIT');
  }

  async work(until) {
    const slot = {};
    while (Date.now() < until) {
      const [id, source, amount] = [randomUUID(), randomInt(ACCOUNTS), 1 + randomInt(50)];
      const target = (source + 1 + randomInt(ACCOUNTS - 1)) % ACCOUNTS;
      await this.persist(slot, (client) => this.transfer(client, id, source, target, amount));
      this.acknowledged.push(id);
    }
    await slot.client?.end().catch(() => {});
  }

  async read(client) {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const moved = await client.query(`SELECT id, source, target, amount FROM ${this.p}_transfer`);
    const balances = await client.query(`SELECT id, balance FROM ${this.p}_account ORDER BY id`);
    await client.query('COMMIT');
    return [moved.rows, balances.rows.map((row) => Number(row.balance))];
  }

  verify(moved, balances) {
    const ids = new Set(moved.map((row) => row.id));
    this.checks.eq('transfers that are there twice', moved.length - ids.size, 0);
    this.checks.eq('acknowledged transfers that are missing', this.acknowledged.filter((id) => !ids.has(id)), []);
    this.checks.eq('the sum of the balances', balances.reduce((sum, one) => sum + one, 0), ACCOUNTS * OPENING);
    const wanted = Array(ACCOUNTS).fill(OPENING);
    for (const { source, target, amount } of moved) {
      wanted[source] -= Number(amount);
      wanted[target] += Number(amount);
    }
    this.checks.eq('balances by the transfers', balances, wanted);
  }

  async keepGoing() {
    const slot = {};
    await this.persist(slot, (client) => this.create(client));
    const until = Date.now() + setting('DURATION', 5) * 1000;
    await Promise.all(Array.from({ length: setting('WORKERS', 2) }, () => this.work(until)));
    this.verify(...(await this.persist(slot, (client) => this.read(client))));
    await slot.client.query(`DROP TABLE ${this.p}_account, ${this.p}_transfer`);
    await slot.client.end();
    const { checks, acknowledged, retries } = this;
    console.log(JSON.stringify({ client: checks.client, checks: checks.count, acknowledged: acknowledged.length, retries }));
  }
}
