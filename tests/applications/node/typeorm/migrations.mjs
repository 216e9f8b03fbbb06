// TypeORM's migrations on the tables that the staff office has: shown, generated, run, reverted, and compared.

import { cpSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { play } from "../steps.mjs";
import { source } from "./source.mjs";
import { generate, kept, typeorm } from "./tool.mjs";

console.log = console.info = (...words) => process.stderr.write(`${words.join(" ")}\n`);
const [work, other] = ["staff-", "staff-wide-"].map((name) => {
  const folder = mkdtempSync(path.join(process.env.APPLICATION_WORK ?? tmpdir(), name));
  cpSync(kept, folder, { recursive: true });
  return folder;
});
const first = { STAFF_MIGRATIONS: work };
const grown = { STAFF_MIGRATIONS: work, STAFF_VERSION: "grown" };
const wide = { STAFF_MIGRATIONS: other, STAFF_VERSION: "wide" };
const applied = (printed) =>
  [...printed.matchAll(/\[(X| )\] (?:\d+ )?([A-Za-z]+)\d{13}/g)].map(
    ([, mark, name]) => `${mark === "X" ? "run" : "pending"} ${name}`,
  );
const statements = (printed) =>
  printed
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^(ALTER|CREATE|DROP|INSERT|COMMENT)\b/.test(line))
    .sort();
const done = (printed) =>
  [...printed.matchAll(/Migration ([A-Za-z]+)\d{13} has been +(executed|reverted) successfully/g)].map(
    ([, name, what]) => `${name} ${what}`,
  );
const query = (text) =>
  /\[[\s\S]*\]/
    .exec(typeorm("query", first, text))[0]
    .split(/\s+/)
    .join(" ");

async function look(action) {
  const office = source({ logging: false });
  await office.initialize();
  const runner = office.createQueryRunner();
  try {
    return await action(runner, office);
  } finally {
    await runner.release();
    await office.destroy();
  }
}

/** A change of the tables by hand, statement by statement or in a transaction. */
const change = (action, transaction = false) =>
  look(async (runner) => {
    if (!transaction) return action(runner);
    await runner.startTransaction();
    try {
      const shown = await action(runner);
      await runner.commitTransaction();
      return shown;
    } catch (error) {
      await runner.rollbackTransaction();
      throw error;
    }
  });

function revert(variables, name) {
  if (applied(typeorm("migration:show", variables)).findLast((one) => one.startsWith("run ")) !== `run ${name}`)
    throw new Error(`${name} has not been run`);
  return done(typeorm("migration:revert", variables));
}

const prepare = {
  "run the first migration": () => done(typeorm("migration:run", first)),
  "some people": () =>
    change(async (runner) => {
      await runner.query("INSERT INTO departments (name) VALUES ('Sales'), ('Works')");
      for (const at of [0, 1, 2, 3]) {
        await runner.query(
          "INSERT INTO employees (name, email, iban, salary, hired, department_id, version) VALUES ($1, $2, $3, $4, '2020-01-01', 1, 1)",
          [`Person ${at}`, `person.${at}@firm.example`, `DE8937040044053201300${at}`, 3210.5 + at],
        );
      }
      await runner.query(
        "INSERT INTO projects (code, title) SELECT 'P-' || n, 'Project ' || n FROM generate_series(1, 3) n",
      );
      return (await runner.query("SELECT count(*)::int AS n FROM employees"))[0].n;
    }, true),
};

const use = {
  "what has been run": () => applied(typeorm("migration:show", first)),
  "the tables are as the entities say": () => /up to date/.test(typeorm("schema:log", first)),
  "what the later version would change": () => statements(typeorm("schema:log", grown)),
  "generate the later version's migration": () => {
    generate(work, "Later", grown, "-t", "1735689600000");
    return statements(
      readFileSync(
        path.join(
          work,
          readdirSync(work).find((name) => /Later/.test(name)),
        ),
        "utf8",
      ).replaceAll(/await queryRunner\.query\(`/g, "\n"),
    ).length;
  },
  "what is to be run": () => applied(typeorm("migration:show", grown)),
  "run it": () => done(typeorm("migration:run", grown)),
  "revert it": () => revert(grown, "Later"),
  "run it without a transaction": () => done(typeorm("migration:run", grown, "-t", "none")),
  "what has been run by now": () => applied(typeorm("migration:show", grown)),
  "nothing is left to change": () => /up to date/.test(typeorm("schema:log", grown)),
  "nothing is left to generate": () =>
    /No changes in database schema/.test(typeorm("migration:generate", grown, path.join(work, "None"), "--check")),
  "ask the new columns": () => query("SELECT code, archived FROM projects ORDER BY code"),
  "revert it without a transaction": () => revert(grown, "Later"),
  "bring the tables to the later version without a migration": () =>
    /synchronization finished successfully/.test(typeorm("schema:sync", grown)),
  "and back to the first": () => /synchronization finished successfully/.test(typeorm("schema:sync", first)),
  "describe a table of masked columns": () =>
    look(async (runner) => {
      const table = await runner.getTable("employees");
      return {
        columns: table.columns.map((column) => `${column.name} ${column.type} ${column.default ?? ""}`).sort(),
        uniques: table.uniques.map((one) => one.name),
        foreign: table.foreignKeys.length,
      };
    }),
  "which tables and views there are": () =>
    look(async (runner) => [
      (await runner.getTables())
        .map((table) => table.name)
        .filter((name) => !name.includes("."))
        .sort(),
      (await runner.getViews()).map((view) => view.name),
    ]),
  "a table and its index in one transaction": () =>
    change(async (runner) => {
      await runner.query('CREATE TABLE "drafts" ("id" SERIAL PRIMARY KEY, "what" varchar NOT NULL)');
      await runner.query('CREATE INDEX "drafts_what" ON "drafts" ("what")');
      return runner.query("INSERT INTO drafts (what) VALUES ('first') RETURNING id");
    }, true),
  "a table of its own": () =>
    change(async (runner) => {
      await runner.query(
        'CREATE TABLE "audits" ("id" SERIAL PRIMARY KEY, "what" varchar NOT NULL, "at" timestamptz DEFAULT now())',
      );
      await runner.query('CREATE INDEX "audits_what" ON "audits" ("what")');
      await runner.query('COMMENT ON COLUMN "audits"."what" IS $$who did it$$');
      return (await runner.getTable("audits")).columns.length;
    }),
  "a foreign key from it to a table of masked columns": () =>
    change(async (runner) => {
      await runner.query('ALTER TABLE "audits" ADD "employee_id" int');
      await runner.query(
        'ALTER TABLE "audits" ADD CONSTRAINT "audits_employee" FOREIGN KEY ("employee_id") REFERENCES "employees"("id") ON DELETE CASCADE',
      );
      return (await runner.getTable("audits")).foreignKeys.length;
    }),
  "rename and change its columns": () =>
    change(async (runner) => {
      await runner.renameColumn("audits", "what", "action");
      await runner.query(
        'ALTER TABLE "audits" ALTER COLUMN "action" TYPE text, ALTER COLUMN "action" SET DEFAULT $$none$$',
      );
      await runner.renameTable("audits", "trail");
      return (await runner.getTable("trail")).columns.map((column) => `${column.name} ${column.type}`).sort();
    }),
  "what a column more for people would change": () => statements(typeorm("schema:log", wide)),
  "a column more for people": () => {
    generate(other, "Wide", wide, "-t", "1767225600000");
    return done(typeorm("migration:run", wide));
  },
  "and back": () => revert(wide, "Wide"),
  "an index on a masked column": () =>
    change(async (runner) => {
      await runner.query('CREATE INDEX "employees_iban" ON "employees" ("iban")');
      return true;
    }),
  "fill a column in portions": () =>
    change(async (runner) => {
      await runner.query('ALTER TABLE "projects" ADD "slug" varchar');
      await runner.query(`UPDATE "projects" SET "slug" = lower("code") || '-' || "id" WHERE "slug" IS NULL`);
      await runner.query('ALTER TABLE "projects" ALTER COLUMN "slug" SET NOT NULL');
      return runner.query("SELECT slug FROM projects ORDER BY slug");
    }),
  "move rows by the masked column's table": () =>
    change(async (runner) => {
      await runner.query(
        "INSERT INTO trail (action, employee_id) SELECT 'hired ' || name, id FROM employees ORDER BY id",
      );
      return runner.query("SELECT action FROM trail ORDER BY id");
    }),
  "drop what was made": () =>
    change(async (runner) => {
      await runner.dropTable("trail");
      await runner.dropTable("rooms");
      return runner.hasTable("trail");
    }),
  "the people as they are": () => query("SELECT email, iban, salary FROM employees ORDER BY id"),
  "revert the first migration": () => revert(first, "First"),
};

await play({ prepare, use });
