// Steps of an application: each is played, and told as one line of JSON on stdout. What else an application prints goes
// to stderr, since stdout is the steps' alone. No application's own steps belong here.

import { spawnSync } from "node:child_process";

/** Play the steps of the part that the command line names, one after the other; a failing step ends none of the rest. */
export async function play(parts) {
  const part = parts[process.argv[2]];
  if (!part) throw new Error(`say which part to play: ${Object.keys(parts).join(", ")}`);
  for (const [step, action] of Object.entries(part)) {
    try {
      tell({ step, ok: true, shows: text(await action()) });
    } catch (error) {
      process.stderr.write(`${step}: ${error?.stack ?? error}\n`);
      tell({ step, ok: false, error: reason(error) });
    }
  }
}

/** The error of an action that has to fail with one that `expected` accepts; any other is thrown on. */
export async function failure(action, expected) {
  try {
    await action();
  } catch (error) {
    if (expected(error)) return error;
    throw error;
  }
  throw new Error("this has to fail, and did not");
}

/** What a command of this ecosystem prints; it fails as the command does. */
export function command(args, options = {}) {
  const done = spawnSync(process.execPath, args, {
    encoding: "utf8",
    input: "",
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
    ...options,
  });
  // eslint-disable-next-line no-control-regex
  const printed = `${done.stdout}${done.stderr}`.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "");
  process.stderr.write(`${args.join(" ")}\n${printed}\n`);
  if (done.status !== 0) {
    const lines = printed.split("\n").filter((line) => /error|refused|\bERR/i.test(line));
    throw new Error(
      `${args.at(1) ?? args[0]} ended with ${done.status}: ${(lines.length ? lines : ["it does not say why"]).slice(0, 3).join(" ")}`,
    );
  }
  return printed;
}

function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function text(shown) {
  return typeof shown === "string" ? shown : (JSON.stringify(shown) ?? "");
}

function reason(error) {
  // Object mappers wrap the driver's error, which has the server's own words.
  const inner = error?.parent ?? error?.driverError ?? error?.cause;
  const message =
    inner && inner !== error
      ? `${inner.code ?? ""} ${inner.message} (${error.name})`
      : `${error?.code ?? ""} ${error?.message ?? error}`;
  return message.trim().replace(/\s+/g, " ").slice(0, 400);
}
