// The clinic's connections: node-postgres and Postgres.js, with Drizzle over each.

import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as overPostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import postgres from "postgres";
import { failure } from "../steps.mjs";
import * as schema from "./schema.mjs";

export const { patients, doctors, visits, drugs, prescriptions, calendar, fees } = schema;
export const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });
export const client = postgres(process.env.DATABASE_URL, { max: 3, onnotice: () => {} });
const logger = { logQuery: (text) => process.stderr.write(`${text}\n`) };
export const db = drizzle(pool, { schema, logger });
export const js = overPostgresJs(client, { schema, logger });
export const constraint = async (action) => {
  const {
    code,
    constraint: name,
    constraint_name: other,
  } = (await failure(action, (error) => /^23/.test(error.cause?.code ?? ""))).cause;
  return { code, constraint: name ?? other };
};
