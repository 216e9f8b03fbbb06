// What applications do with node-postgres, whose package holds no tests. Each scenario prints one line of JSON: whether
// it passed, and what went wrong if not. Where to connect is in the environment, as for libpq.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import Cursor from "pg-cursor";
import QueryStream from "pg-query-stream";

const scenarios = {
  async metadata(client) {
    await client.query("CREATE TEMP TABLE things (id int PRIMARY KEY, name varchar(10), price numeric(8, 2))");
    const { fields } = await client.query("SELECT id, name, price, id + 1 AS more FROM things");
    assert.deepEqual(fields.map((field) => field.name), ["id", "name", "price", "more"]);
    assert.deepEqual(fields.map((field) => field.dataTypeID), [23, 1043, 1700, 23]);
    assert.deepEqual(fields.map((field) => field.dataTypeModifier), [-1, 14, 8 * 65536 + 2 + 4, -1]);
    assert.deepEqual(fields.map((field) => field.columnID), [1, 2, 3, 0]);
    assert.ok(fields[0].tableID > 0 && fields[3].tableID === 0);
  },

  async "values of many types, in text and binary"(client) {
    const text = `SELECT 1::int2 AS a, 2::int8 AS b, 3.5::float8 AS c, true AS d, 'é'::text AS e, NULL::text AS f,
      '{"a": [1]}'::jsonb AS g, '{1,2}'::int[] AS h, '\\x00ff'::bytea AS i`;
    const plain = (await client.query(text)).rows[0];
    assert.deepEqual(
      { ...plain, i: [...plain.i] },
      { a: 1, b: "2", c: 3.5, d: true, e: "é", f: null, g: { a: [1] }, h: [1, 2], i: [0, 255] },
    );
    const binary = await client.query({ text: "SELECT 7::int4 AS a, true AS b, 'é'::text AS c", binary: true });
    assert.deepEqual({ ...binary.rows[0] }, { a: 7, b: true, c: "é" });
  },

  async "parameters come back as they went"(client) {
    const when = new Date("2024-02-29T12:30:00.123Z");
    const sent = [null, "o'clock \\ \u{1f600}", "9007199254740993", { a: [1, null] }, ["x", "y,z", null], when, Buffer.from([0, 255])];
    const types = ["text", "text", "bigint", "json", "text[]", "timestamptz", "bytea"];
    const columns = types.map((type, at) => `$${at + 1}::${type} AS c${at}`).join(", ");
    const { rows } = await client.query(`SELECT ${columns}`, sent);
    assert.deepEqual(Object.values(rows[0]), sent);
  },

  async "a named statement runs again and again"(client) {
    for (let at = 0; at < 200; at += 1) {
      const { rows } = await client.query({ name: "again", text: "SELECT $1::int * 2 AS twice", values: [at] });
      assert.equal(rows[0].twice, at * 2);
    }
    const { rows } = await client.query("SELECT count(*)::int AS n FROM pg_prepared_statements WHERE name = 'again'");
    assert.equal(rows[0].n, 1);
  },

  async "a cursor reads in portions and may stop"(client) {
    const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, $1::int) n", [1000]));
    assert.equal((await cursor.read(10)).length, 10);
    assert.equal((await cursor.read(100))[99].n, 110);
    await cursor.close();
    const rest = client.query(new Cursor("SELECT n FROM generate_series(1, 3) n"));
    assert.equal((await rest.read(10)).length, 3);
    assert.equal((await rest.read(10)).length, 0);
    await rest.close();
  },

  async "rows stream"(client) {
    let sum = 0;
    const stream = client.query(new QueryStream("SELECT n FROM generate_series(1, $1::int) n", [20000], { batchSize: 77 }));
    for await (const row of stream) sum += row.n;
    assert.equal(sum, (20000 * 20001) / 2);
  },

  async "a stream that is left early"(client) {
    const stream = client.query(new QueryStream("SELECT n FROM generate_series(1, 100000) n", [], { batchSize: 10 }));
    for await (const row of stream) if (row.n === 25) break;
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
  },

  async "COPY both ways"(client) {
    await client.query("CREATE TEMP TABLE lines (id int, text text)");
    const lines = function* () {
      for (let at = 0; at < 20000; at += 1) yield `${at}\t${"x".repeat(at % 200)}\n`;
    };
    const into = client.query(copyFrom("COPY lines FROM STDIN"));
    await pipeline(Readable.from(lines()), into);
    assert.equal(into.rowCount, 20000);
    let read = "";
    for await (const part of client.query(copyTo("COPY (SELECT id, text FROM lines ORDER BY id) TO STDOUT"))) read += part;
    assert.equal(read, [...lines()].join(""));
  },

  async "COPY of what does not fit, and a COPY that is given up"(client) {
    await client.query("CREATE TEMP TABLE numbers (n int)");
    const bad = pipeline(Readable.from(["1\n", "two\n", "3\n"]), client.query(copyFrom("COPY numbers FROM STDIN")));
    await assert.rejects(bad, { code: "22P02" });
    const given = client.query(copyFrom("COPY numbers FROM STDIN"));
    given.write("1\n");
    given.destroy(new Error("given up"));
    await once(given, "error");
    assert.equal((await client.query("SELECT count(*)::int AS n FROM numbers")).rows[0].n, 0);
  },

  async "several statements in one text"(client) {
    const results = await client.query("SELECT 1 AS a; CREATE TEMP TABLE t (n int); INSERT INTO t VALUES (1), (2); SELECT n FROM t");
    assert.deepEqual(results.map((one) => one.command), ["SELECT", "CREATE", "INSERT", "SELECT"]);
    assert.deepEqual(results.map((one) => one.rowCount), [1, null, 2, 2]);
    await assert.rejects(client.query("SELECT 1; SELECT nothing_of_this_name; SELECT 2"), { code: "42703" });
    assert.equal((await client.query("")).command, null);
  },

  async "transactions, savepoints and errors within"(client) {
    await client.query("CREATE TEMP TABLE t (n int PRIMARY KEY)");
    await client.query("BEGIN");
    await client.query("INSERT INTO t VALUES ($1)", [1]);
    await client.query("SAVEPOINT here");
    const { code, detail, table, constraint, severity } = await client.query("INSERT INTO t VALUES (1)").catch((error) => error);
    assert.deepEqual([code, detail, table, constraint, severity], ["23505", "Key (n)=(1) already exists.", "t", "t_pkey", "ERROR"]);
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    await client.query("ROLLBACK TO SAVEPOINT here");
    await client.query("COMMIT");
    assert.equal((await client.query("SELECT n FROM t")).rowCount, 1);
  },

  async "a statement that is refused"(client) {
    // The server refuses it for want of the file, a gate because it leads to the server's files.
    const refusal = async (query) => {
      const error = await client.query(query).catch((caught) => caught);
      assert.ok(error instanceof pg.DatabaseError && error.severity === "ERROR" && error.message !== "");
      assert.ok(error.code === "58P01" || (error.code === "42501" && error.detail && error.hint), error.code);
    };
    const text = "SELECT pg_read_file('there_is_no_such_file')";
    await refusal(text);
    await refusal({ text: "SELECT pg_read_file($1)", values: ["there_is_no_such_file"] });
    await refusal({ name: "kept", text });
    await refusal({ name: "kept", text });
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
    await client.query("BEGIN");
    await refusal(text);
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    await client.query("ROLLBACK");
    const { code } = await client.query(new Cursor(text)).read(1).catch((error) => error);
    assert.ok(["58P01", "42501"].includes(code));
    assert.equal((await client.query("SELECT 2 AS two")).rows[0].two, 2);
  },

  async "a statement is cancelled"(client) {
    const other = new pg.Client();
    await other.connect();
    // Expected before it can happen: a rejection that nobody waits for yet ends the program.
    const slow = assert.rejects(client.query("SELECT pg_sleep(30)"), { code: "57014" });
    await new Promise((done) => setTimeout(done, 200));
    // In code, for the gate lets nobody call it by name.
    await other.query(`DO $$ BEGIN PERFORM pg_cancel_backend(${client.processID}); END $$`);
    await slow;
    await other.end();
    const late = assert.rejects(client.query("SELECT pg_sleep(30)"), { code: "57014" });
    await new Promise((done) => setTimeout(done, 200));
    // The cancel request of the protocol, with the key that the client was given.
    const { host, port } = client;
    const canceller = new pg.Connection();
    canceller.connect(port, host);
    await once(canceller, "connect");
    canceller.cancel(client.processID, client.secretKey);
    await late;
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
  },

  async "notices and notifications"(client) {
    const notices = [];
    client.on("notice", (notice) => notices.push([notice.severity, notice.message]));
    await client.query("DO $$ BEGIN RAISE NOTICE 'heard'; END $$");
    assert.deepEqual(notices, [["NOTICE", "heard"]]);
    await client.query("LISTEN news");
    const heard = once(client, "notification");
    const other = new pg.Client();
    await other.connect();
    await other.query("SELECT pg_notify('news', 'it works')");
    const [{ channel, payload, processId }] = await heard;
    assert.deepEqual([channel, payload, processId], ["news", "it works", other.processID]);
    await other.end();
  },

  async "many queries on a pool"() {
    const pool = new pg.Pool({ max: 10 });
    const answers = await Promise.all(Array.from({ length: 300 }, (_, at) => pool.query("SELECT $1::int AS n, pg_sleep(0.001)", [at])));
    assert.deepEqual(answers.map((answer) => answer.rows[0].n), answers.map((_, at) => at));
    await pool.end();
  },

  async "queries that wait in line on one connection"(client) {
    const all = Array.from({ length: 500 }, (_, at) => client.query("SELECT $1::int AS n", [at]));
    const failing = assert.rejects(client.query("SELECT 1 / $1::int", [0]), { code: "22012" });
    const after = client.query("SELECT 'after' AS word");
    assert.deepEqual((await Promise.all(all)).map((one) => one.rows[0].n), all.map((_, at) => at));
    await failing;
    assert.equal((await after).rows[0].word, "after");
  },

  async "a value of 40 MB each way"(client) {
    const { rows } = await client.query("SELECT $1::text AS long, length($1::text) AS size", ["x".repeat(40_000_000)]);
    assert.equal(rows[0].size, 40_000_000);
    assert.equal(rows[0].long.length, 40_000_000);
  },

  async "a session that the server ends"(client) {
    const said = once(client, "error");
    const other = new pg.Client();
    await other.connect();
    const running = client.query("SELECT pg_sleep(30)").catch((error) => error);
    await new Promise((done) => setTimeout(done, 200));
    await other.query(`DO $$ BEGIN PERFORM pg_terminate_backend(${client.processID}); END $$`);
    assert.equal((await running).code, "57P01");
    await said;
    await other.end();
  },

  async "settings that the server reports"(client) {
    await client.query("SET TimeZone = 'Asia/Tokyo'");
    assert.equal((await client.query("SHOW TimeZone")).rows[0].TimeZone, "Asia/Tokyo");
    const other = new pg.Client({ application_name: "conformance", statement_timeout: 150 });
    await other.connect();
    assert.equal((await other.query("SHOW application_name")).rows[0].application_name, "conformance");
    await assert.rejects(other.query("SELECT pg_sleep(5)"), { code: "57014" });
    await other.end();
  },
};

const only = process.argv.slice(2);
for (const [test, play] of Object.entries(scenarios)) {
  if (only.length && !only.includes(test)) continue;
  const client = new pg.Client();
  let record = { test, result: "passed", message: "" };
  client.on("error", () => {});
  try {
    await client.connect();
    let timer;
    const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error("not done after 60 s")), 60_000); });
    await Promise.race([play(client), late]);
    clearTimeout(timer);
  } catch (error) {
    record = { test, result: "failed", message: String(error.stack ?? error) };
  }
  await client.end().catch(() => {});
  process.stdout.write(`${JSON.stringify(record)}\n`);
}
process.exit(0);
