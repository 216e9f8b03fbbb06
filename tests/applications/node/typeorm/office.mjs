// The staff office's connection, and how its rows are told.

import { QueryFailedError } from "typeorm";
import { failure } from "../steps.mjs";
import { source } from "./source.mjs";

export const office = source({
  logging: true,
  logger: "simple-console",
  poolSize: 4,
  cache: { type: "database", tableName: "query_cache", duration: 60000 },
});
console.log = console.info = (...words) => process.stderr.write(`${words.join(" ")}\n`);
export const repository = (name) => office.getRepository(name);
const HIDDEN = ["created", "updated", "removed"];
export const plain = (found) =>
  JSON.parse(JSON.stringify(found, (key, value) => (HIDDEN.includes(key) ? undefined : value)));
export const constraint = async (action) => {
  const { code, constraint: name } = (
    await failure(action, (error) => error instanceof QueryFailedError && /^23/.test(error.driverError.code))
  ).driverError;
  return { code, constraint: name };
};
