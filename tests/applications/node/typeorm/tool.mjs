// TypeORM's command line, as the staff office uses it to change its tables.

import { readdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { command } from "../steps.mjs";

const cli = createRequire(import.meta.url).resolve("typeorm/cli.js");
const dataSource = path.join(import.meta.dirname, "source.mjs");

/** Where the migrations are that belong to the office's first version. */
export const kept = path.join(import.meta.dirname, "migrations");

/** What a command on the data source prints; `variables` say which entities and migrations it has. */
export function typeorm(name, variables, ...args) {
  return command([cli, name, ...args, "-d", dataSource], { env: { ...process.env, NO_COLOR: "1", ...variables } });
}

/** Write a migration into a folder; its SQL is what tells the entities from the tables. */
export function generate(folder, name, variables, ...args) {
  typeorm(
    "migration:generate",
    { STAFF_MIGRATIONS: folder, ...variables },
    path.join(folder, name),
    "-p",
    "-o",
    "--esm",
    ...args,
  );
  for (const file of readdirSync(folder).filter((one) => one.endsWith(".js")))
    renameSync(path.join(folder, file), path.join(folder, file.replace(/\.js$/, ".mjs")));
}
