// drizzle-kit on the tables that a clinic has: introspected, and brought to later versions by migrations and by push.

import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { drizzle as drizzleOver } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { command, play } from "../steps.mjs";

const home = path.dirname(import.meta.dirname);
const kit = path.join(home, "node_modules", "drizzle-kit", "bin.cjs");
const work = mkdtempSync(path.join(process.env.APPLICATION_WORK ?? tmpdir(), "clinic-"));
cpSync(path.join(import.meta.dirname, "migrations"), work, { recursive: true });
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 });
const rows = async (text) => (await pool.query(text)).rows;
const columns = async (table) =>
  (
    await rows(
      `SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '${table}' AND table_schema = 'public' ORDER BY 1`,
    )
  ).map((row) => Object.values(row).join(" "));

function drizzle(action, version = "first", folder = work, ...args) {
  const printed = command([kit, action, "--config=drizzle/kit.config.js", ...args], {
    cwd: home,
    env: { ...process.env, NO_COLOR: "1", CLINIC_VERSION: version, CLINIC_MIGRATIONS: path.relative(home, folder) },
  });
  // It ends well where the server refused.
  if (/^\s*(error|[A-Za-z]*Error):/im.test(printed))
    throw new Error(
      printed
        .split("\n")
        .filter((line) => /error|code:/i.test(line))
        .slice(0, 3)
        .join(" "),
    );
  return printed;
}

const statements = (text) =>
  text
    .split(/--> statement-breakpoint|;\s*\n/)
    .map((one) => one.trim().split("\n")[0])
    .filter(Boolean)
    .sort();
const migrations = () =>
  readdirSync(work)
    .filter((name) => name.endsWith(".sql"))
    .sort();

function introspected(version) {
  const folder = mkdtempSync(path.join(process.env.APPLICATION_WORK ?? tmpdir(), "clinic-"));
  drizzle("introspect", version, folder);
  const text = readFileSync(path.join(folder, "schema.ts"), "utf8");
  return [...text.matchAll(/export const (\w+) = (\w+)\(/g)].map(([, name, kind]) => `${kind} ${name}`).sort();
}

const prepare = {
  "run the first migration": () => /applied successfully/.test(drizzle("migrate")),
  "some patients": async () => {
    await rows("INSERT INTO doctors (name, field) VALUES ('Dr. Amsel', 'heart'), ('Dr. Fink', 'bones')");
    await rows(
      "INSERT INTO patients (name, email, insurance, born) SELECT 'Patient ' || n, 'patient.' || n || '@inbox.example', 'K77123400' || n, '1970-01-02' FROM generate_series(1, 4) n",
    );
    return rows("SELECT count(*)::int AS n FROM patients");
  },
};

const use = {
  "nothing is to be migrated": () => /applied successfully/.test(drizzle("migrate")),
  "check the migrations": () => /fine/.test(drizzle("check")),
  "nothing is to be generated": () => /No schema changes/.test(drizzle("generate")),
  "nothing is to be pushed": () => /No changes detected/.test(drizzle("push", "first", work, "--force", "--verbose")),
  "the tables as SQL": () => statements(drizzle("export")).length,
  "introspect the tables": () => introspected("first"),
  "generate the grown version's migration": () => {
    drizzle("generate", "grown", work, "--name=grown");
    return statements(readFileSync(path.join(work, migrations().at(-1)), "utf8"));
  },
  "run it": () => /applied successfully/.test(drizzle("migrate", "grown")),
  "run it as the service does when it starts": () => migrate(drizzleOver(pool), { migrationsFolder: work }),
  "which migrations have run": async () => [
    (await rows("SELECT count(*)::int AS n FROM drizzle.__drizzle_migrations"))[0].n,
    migrations().length,
  ],
  "push the grown version": async () => {
    drizzle("push", "grown", work, "--force", "--verbose");
    return [await columns("doctors"), await columns("rooms")];
  },
  "a row in its table": () => rows("INSERT INTO rooms (name, doctor_id) VALUES ('Room 1', 1) RETURNING id, name"),
  "a migration by hand": () => {
    drizzle("generate", "grown", work, "--custom", "--name=fill");
    const file = path.join(work, migrations().at(-1));
    writeFileSync(
      file,
      "INSERT INTO rooms (name) SELECT 'Room ' || n FROM generate_series(2, 4) n;\n--> statement-breakpoint\nUPDATE doctors SET retired = true WHERE name LIKE '%Fink';\n",
    );
    return /applied successfully/.test(drizzle("migrate", "grown"));
  },
  "fill its table": () =>
    rows(
      "INSERT INTO rooms (name) SELECT 'Room ' || n FROM generate_series(2, 5) n ON CONFLICT DO NOTHING RETURNING id > 0 AS filled",
    ),
  "what it is filled with": async () => [
    await rows("SELECT name FROM rooms ORDER BY name"),
    await rows("SELECT name FROM doctors ORDER BY name"),
  ],
  "introspect the grown version": () => introspected("grown"),
  "push back to the first version": async () => {
    drizzle("push", "first", work, "--force", "--verbose");
    return [await columns("doctors"), await columns("rooms")];
  },
  "push another kind of visit": async () => {
    drizzle("push", "extended", work, "--force", "--verbose");
    return rows("SELECT enum_range(NULL::state)::text AS kinds");
  },
  "push a column more for patients": async () => {
    drizzle("push", "wide", work, "--force", "--verbose");
    return columns("patients");
  },
  "generate a column more for patients": () => {
    drizzle("generate", "wide", work, "--name=wide");
    return statements(readFileSync(path.join(work, migrations().at(-1)), "utf8"));
  },
  "the patients as they are": () => rows("SELECT id, name, email, insurance, born::text FROM patients ORDER BY id"),
};

await play({ prepare, use });
await pool.end();
