/**
 * Shows the jobs that ended without success, and runs them again: `dead-letters.ts [list]` and
 * `dead-letters.ts replay`, with NAME, ID, ALL and LIMIT in the environment.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { openFirstConnection } from "@tl-engine/shared/broker/connection";
import { openPublisher } from "@tl-engine/shared/broker/publish";
import { createLog } from "@tl-engine/shared/process/log";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { BURIALS, brokerNames } from "@tl-engine/shared/wire/names";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";
import { type Letter, listLetters, type Replayed, replayLetters } from "./dead-letters/letters.ts";
import { readEnvironment } from "./environment.ts";

const DEFAULT_LIMIT = 20;

/** `3 d`, `5 h`, `12 min`, `40 s`. */
function ageOf(publishedAtMs: number | undefined, nowMs: number): string {
  if (publishedAtMs === undefined) return "?";
  const seconds = Math.max(0, Math.round((nowMs - publishedAtMs) / 1_000));
  const [unit, length] = AGE_UNITS.find(([, length]) => seconds >= 2 * length) ?? ["s", 1];
  return `${Math.floor(seconds / length)} ${unit}`;
}
const AGE_UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
] as const;

function printLetters(engine: string, count: number, letters: Letter[]): void {
  console.log(`${engine}: ${count}`);
  const rows = letters.map(({ id, type, code, attempt, generation, message, ...letter }) =>
    [
      id || "(no id)",
      type || "(no type)",
      code,
      `attempt ${attempt}`,
      generation === 0 ? "" : `replay ${generation}`,
      letter.cutBytes === undefined ? "" : `cut from ${letter.cutBytes} bytes`,
      ageOf(letter.publishedAtMs, Date.now()),
      message.replaceAll(/\s+/g, " ").slice(0, 80),
    ].map(printable),
  );
  const widths = rows.reduce<number[]>(
    (widths, row) => row.map((cell, i) => Math.max(widths[i] ?? 0, cell.length)),
    [],
  );
  for (const row of rows)
    console.log(`  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd());
  if (count > letters.length) console.log(`  … and ${count - letters.length} more (LIMIT=n)`);
}

function usage(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** NAME, which must be an engine's; all engines where it is left out and may be. */
async function chosenEngines(mustBeOne: boolean): Promise<string[]> {
  const engines = (await loadWorkers()).map(({ definition }) => definition.name);
  const { NAME: name = "" } = process.env;
  if (name === "" && !mustBeOne) return engines;
  if (!engines.includes(name))
    usage(`NAME=${name} is no engine; there are: ${engines.join(", ")}.`);
  return [name];
}

async function main(verb: string): Promise<void> {
  const { ID = "", ALL = "", LIMIT = "" } = process.env;
  if (verb !== "list" && verb !== "replay")
    usage("Usage: node scripts/operate/dead-letters.ts list|replay");
  if (verb === "replay" && (ID === "") === (ALL === ""))
    usage("Say which letters: ID=job-id, or ALL=1.");
  // make exports a variable that was not given as an empty one.
  const limit = Number(LIMIT || DEFAULT_LIMIT);
  if (!Number.isSafeInteger(limit) || limit < 0) usage("LIMIT must be a whole number.");
  const engines = await chosenEngines(verb === "replay");
  if (verb === "replay" && engines.includes(BURIALS))
    usage("Letters of burials belong to no engine, so nothing can run them.");
  const config = readEnvironment({
    AMQP_URL: true,
    AMQP_HEARTBEAT_S: true,
    BROKER_PROFILE: true,
    ENGINE_PREFIX: true,
    LOG_LEVEL: true,
  });
  const names = brokerNames(config.ENGINE_PREFIX);
  const connection = await openFirstConnection(config, "dead letters");
  const publisher = await openPublisher(
    { ...config, WORKER_ID: String(process.pid) },
    "dead letters",
    createLog({}, config.LOG_LEVEL === "info" ? "warn" : config.LOG_LEVEL),
  );
  try {
    for (const engine of engines) {
      if (verb === "list") {
        const { count, letters } = await listLetters(connection, publisher, {
          engine,
          names,
          limit,
        });
        printLetters(engine, count, letters);
      } else {
        const id = ID === "" ? undefined : ID;
        report(engine, id, await replayLetters(connection, publisher, { engine, names, id }));
      }
    }
  } finally {
    await Promise.race([publisher.close(), sleep(2_000)]);
    await connection.model.close();
  }
}

function report(engine: string, id: string | undefined, { replayed, left }: Replayed): void {
  console.log(`${engine}: replayed=${replayed.length} left=${left.length}`);
  for (const letter of left)
    console.log(
      `  ${printable(letter.id) || "(no id)"}: ${letter.why}; publish it anew under a new id.`,
    );
  if (id !== undefined && replayed.length + left.length === 0) {
    process.stderr.write(`No dead letter of ${engine} has the id ${printable(id)}.\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) {
  try {
    await main(process.argv[2] ?? "list");
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    console.error(printableLines(error.message));
    process.exitCode = error.temporary ? 1 : 2;
  }
}
