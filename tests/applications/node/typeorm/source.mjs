// Where TypeORM's command line finds the staff office's database, entities and migrations; the environment says which.

import path from "node:path";
import { DataSource } from "typeorm";
import { entities } from "./entities.mjs";

export function source(options = {}) {
  return new DataSource({
    type: "postgres",
    url: process.env.DATABASE_URL,
    entities: entities(process.env.STAFF_VERSION),
    migrations: process.env.STAFF_MIGRATIONS ? [path.join(process.env.STAFF_MIGRATIONS, "*.mjs")] : [],
    migrationsTransactionMode: "each",
    ...options,
  });
}

export default source();
