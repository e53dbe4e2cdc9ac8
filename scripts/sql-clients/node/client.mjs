// node-postgres: a pool, parameters, named statements, pg-cursor, its types, errors and transactions.

import pg from 'pg';
import Cursor from 'pg-cursor';
import { Bank, Checks, connect } from './common.mjs';

const P = 'cl_node';
const checks = new Checks('node');
// [type, what is sent, what comes back]; bigint and numeric come as text, since a number would lose digits.
const VALUES = [
  ['smallint', -32768, -32768],
  ['integer', 2147483647, 2147483647],
  ['bigint', 9223372036854775807n, '9223372036854775807'],
  ['numeric', '12345678901234567890.0987654321', '12345678901234567890.0987654321'],
  ['real', 1.5, 1.5],
  ['double precision', 0.1, 0.1],
  ['text', "snow ☃ 'quote' \\ \n end", "snow ☃ 'quote' \\ \n end"],
  ['varchar(10)', 'ten chars!', 'ten chars!'],
  ['boolean', true, true],
  ['bytea', Buffer.from([0, 1, 254, 255]), Buffer.from([0, 1, 254, 255])],
  ['timestamptz', new Date('2024-07-01T12:30:00.250Z'), new Date('2024-07-01T12:30:00.250Z')],
  ['date', '2024-02-29', new Date(2024, 1, 29)],
  ['timestamp', '2024-02-29 01:02:03', new Date(2024, 1, 29, 1, 2, 3)],
  ['time', '23:59:59.123456', '23:59:59.123456'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['json', { a: [1, null, { b: true }] }, { a: [1, null, { b: true }] }],
  ['jsonb', JSON.stringify([1, 'x']), [1, 'x']],
  ['integer[]', [1, null, 3], [1, null, 3]],
  ['text[]', ['a', 'b,c', 'q"t', '', null], ['a', 'b,c', 'q"t', '', null]],
];

async function checkValues(client) {
  const columns = VALUES.map(([kind], at) => `c${at} ${kind}`).join(', ');
  await client.query(`DROP TABLE IF EXISTS ${P}_v`);
  await client.query(`CREATE TABLE ${P}_v (id serial, ${columns})`);
  const names = VALUES.map((_, at) => `c${at}`).join(', ');
  const marks = VALUES.map((_, at) => `$${at + 1}`).join(', ');
  const put = `INSERT INTO ${P}_v (${names}) VALUES (${marks}) RETURNING ${names}`;
  const sent = VALUES.map(([, value]) => value);
  const returned = await client.query({ text: put, values: sent, rowMode: 'array' });
  const simple = await client.query({ text: `SELECT ${names} FROM ${P}_v`, rowMode: 'array' });
  VALUES.forEach(([kind, , want], at) => {
    checks.eq(`${kind}, returned`, returned.rows[0][at], want);
    checks.eq(`${kind}, read`, simple.rows[0][at], want);
  });
  const nulls = await client.query({ text: put, values: VALUES.map(() => null), rowMode: 'array' });
  checks.eq('nulls', nulls.rows[0], VALUES.map(() => null));
  checks.eq('type ids', nulls.fields.slice(0, 4).map((field) => field.dataTypeID), [21, 23, 20, 1700]);
  const binary = await client.query({ text: 'SELECT $1::integer AS i, $2::bigint AS b', values: [7, '8'], binary: true });
  checks.eq('binary', binary.rows, [{ i: 7, b: '8' }]);
  const asBigInt = { getTypeParser: (oid, format) => (oid === 20 ? BigInt : pg.types.getTypeParser(oid, format)) };
  const big = await client.query({ text: 'SELECT 9007199254740993::bigint AS n', types: asBigInt });
  checks.eq('BigInt', big.rows[0].n, 9007199254740993n);
  await client.query(`DROP TABLE ${P}_v`);
}

async function checkStatements(client) {
  await client.query(`DROP TABLE IF EXISTS ${P}_t`);
  await client.query(`CREATE TABLE ${P}_t (id integer PRIMARY KEY, name text NOT NULL, n bigint DEFAULT 7)`);
  const made = await client.query(`INSERT INTO ${P}_t (id, name) SELECT g, 'n' || g FROM generate_series(1, 100) AS g`);
  checks.eq('command and count', [made.command, made.rowCount], ['INSERT', 100]);
  for (const id of [1, 50, 100]) {
    const { rows } = await client.query({ name: 'by-id', text: `SELECT name FROM ${P}_t WHERE id = $1`, values: [id] });
    checks.eq('a named statement', rows, [{ name: `n${id}` }]);
  }
  const several = await client.query(`SELECT 1 AS a; UPDATE ${P}_t SET n = 8 WHERE id < 3; SELECT 'x' AS b`);
  checks.eq('several statements', several.map((one) => one.rowCount), [1, 2, 1]);
  const any = await client.query(`SELECT id FROM ${P}_t WHERE id = ANY($1) ORDER BY id`, [[3, 1, 999]]);
  checks.eq('= ANY of an array', any.rows, [{ id: 1 }, { id: 3 }]);
  const upsert = `INSERT INTO ${P}_t VALUES ($1, $2, 1) ON CONFLICT (id) DO UPDATE SET n = ${P}_t.n + EXCLUDED.n RETURNING n`;
  checks.eq('ON CONFLICT update', (await client.query(upsert, [1, 'z'])).rows, [{ n: '9' }]);
  const nothing = await client.query(`INSERT INTO ${P}_t VALUES (1, 'z') ON CONFLICT DO NOTHING`);
  checks.eq('ON CONFLICT nothing', nothing.rowCount, 0);
  checks.eq('no row', (await client.query(`SELECT * FROM ${P}_t WHERE id = -1`)).rows, []);
}

async function checkCursor(client) {
  const cursor = client.query(new Cursor(`SELECT id FROM ${P}_t WHERE id > $1 ORDER BY id`, [10]));
  checks.eq('a cursor', (await cursor.read(3)).map((row) => row.id), [11, 12, 13]);
  checks.eq('more of it', (await cursor.read(2)).map((row) => row.id), [14, 15]);
  checks.eq('the rest', (await cursor.read(1000)).length, 85);
  checks.eq('nothing more', (await cursor.read(10)).length, 0);
  await cursor.close();
  const early = client.query(new Cursor(`SELECT id FROM ${P}_t`));
  await early.read(1);
  await early.close();
  checks.eq('usable after an early close', (await client.query('SELECT 1 AS one')).rows, [{ one: 1 }]);
  const broken = client.query(new Cursor('SELECT 1 / (2 - g) FROM generate_series(1, 3) AS g'));
  await checks.fails('an error in a cursor', '22012', () => broken.read(10));
}

async function checkErrors(client) {
  await checks.fails('a duplicate key', '23505', () => client.query(`INSERT INTO ${P}_t VALUES (1, 'again')`));
  await checks.fails('a null', '23502', () => client.query(`INSERT INTO ${P}_t VALUES ($1, $2)`, [500, null]));
  await checks.fails('no table', '42P01', () => client.query(`SELECT * FROM ${P}_missing`));
  await checks.fails('text for a number', '22P02', () => client.query(`SELECT * FROM ${P}_t WHERE id = $1`, ['abc']));
  await checks.fails('a syntax error', '42601', () => client.query('SELEC 1'));
  const error = await client.query(`INSERT INTO ${P}_t VALUES (1, 'again')`).catch((caught) => caught);
  checks.eq('what the error says', [error.severity, error.constraint, error.table, error.detail],
    ['ERROR', `${P}_t_pkey`, `${P}_t`, 'Key (id)=(1) already exists.']);
}

async function checkTransactions(client) {
  await client.query('BEGIN');
  await client.query(`INSERT INTO ${P}_t VALUES (1000, 'a')`);
  await client.query('SAVEPOINT one');
  await checks.fails('broken', '23505', () => client.query(`INSERT INTO ${P}_t VALUES (1, 'x')`));
  await checks.fails('after an error', '25P02', () => client.query('SELECT 1'));
  await client.query('ROLLBACK TO SAVEPOINT one');
  await client.query(`INSERT INTO ${P}_t VALUES (1001, 'b')`);
  await client.query('COMMIT');
  await client.query('BEGIN');
  await client.query(`DELETE FROM ${P}_t`);
  await client.query('ROLLBACK');
  const { rows } = await client.query(`SELECT id FROM ${P}_t WHERE id >= 1000 ORDER BY id`);
  checks.eq('savepoint, commit, rollback', rows, [{ id: 1000 }, { id: 1001 }]);
}

async function checkPool(target) {
  const pool = new pg.Pool({ ...target, max: 4 });
  const asked = Array.from({ length: 40 }, (_, at) => pool.query(`SELECT name FROM ${P}_t WHERE id = $1`, [at + 1]));
  checks.eq('forty at once', (await Promise.all(asked)).map(({ rows }) => rows[0].name)[39], 'n40');
  checks.that('no more than four connections', pool.totalCount <= 4, pool.totalCount);
  const [one, other] = [await pool.connect(), await pool.connect()];
  const mine = (await one.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const its = (await other.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  checks.that('two sessions', mine !== its, mine, its);
  await one.query('BEGIN');
  await one.query(`UPDATE ${P}_t SET n = 77 WHERE id = 7`);
  checks.eq('not seen yet', (await other.query(`SELECT n FROM ${P}_t WHERE id = 7`)).rows, [{ n: '7' }]);
  await one.query('COMMIT');
  checks.eq('seen now', (await other.query(`SELECT n FROM ${P}_t WHERE id = 7`)).rows, [{ n: '77' }]);
  one.release();
  other.release();
  await pool.end();
}

try {
  const { client, target } = await connect();
  for (const check of [checkValues, checkStatements, checkCursor, checkErrors, checkTransactions]) await check(client);
  await checkPool(target);
  await client.query(`DROP TABLE ${P}_t`);
  await client.end();
  await new Bank(checks, P).keepGoing();
} catch (error) {
  console.error(`node: ${error.stack ?? error}`);
  process.exitCode = 1;
}
