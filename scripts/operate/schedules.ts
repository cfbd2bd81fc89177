/**
 * `make schedules`: the scheduler's schedules with their next and last runs, and what waits for its time. Told by NAME,
 * LIMIT and JSON in the environment; it reads the scheduler's tables, as the owner of the database.
 */
import "../show/closed-pipe.ts";
import { nearest } from "@tl-engine/shared/engine/nearest";
import { createLog } from "@tl-engine/shared/process/log";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { openDatabase, type Queryable } from "@tl-engine/shared/stores/database";
import { explainPostgres } from "@tl-engine/shared/stores/explain-postgres";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { readEnvironment } from "./environment.ts";
import { linesOfKept, linesOfSchedule } from "./schedules/print.ts";
import { type Kept, readKept, readSlots } from "./schedules/read.ts";

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 10_000;
const NAME = /^([a-z][a-z0-9-]{0,39})(\.[a-z][a-z0-9-]{0,39})?$/;
const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;

/** What was asked for can't be; the message says how to ask. */
class Misuse extends Error {
  override readonly name = "Misuse";
}

interface Asked {
  /** `<engine>.<name>`. */
  schedule: string | undefined;
  engine: string | undefined;
  limit: number;
  asJson: boolean;
}

/** @throws {Misuse} */
function readAsked({ NAME: name = "", LIMIT = "", JSON: asJson = "" }: NodeJS.ProcessEnv): Asked {
  const [, engine, rest] = NAME.exec(name) ?? [];
  if (name !== "" && engine === undefined)
    throw new Misuse(`NAME=${name} is neither a schedule, <engine>.<name>, nor an engine.`);
  const limit = Number(LIMIT || DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw new Misuse(`LIMIT must be a whole number from 1 to ${MAX_LIMIT}.`);
  return {
    schedule: rest === undefined ? undefined : name,
    engine,
    limit,
    asJson: asJson !== "" && asJson !== "0",
  };
}

/** @returns the lines to print; undefined where there is no such schedule, which it has told. */
async function show(db: Queryable, asked: Asked): Promise<string[] | undefined> {
  const { schedule, engine, limit, asJson } = asked;
  const kept = await readKept(db, asked);
  if (schedule === undefined) return asJson ? [JSON.stringify(kept, null, 2)] : linesOfKept(kept);
  const [found] = kept.schedules;
  if (found === undefined) {
    tellUnknown(schedule, await readKept(db, { engine }), await readKept(db, {}));
    return undefined;
  }
  const slots = await readSlots(db, schedule, limit);
  if (asJson) return [JSON.stringify({ nowMs: kept.nowMs, ...found, slots }, null, 2)];
  return linesOfSchedule(found, slots, kept.nowMs);
}

function tellUnknown(schedule: string, ofEngine: Kept, all: Kept): void {
  const names = all.schedules.map(({ name }) => name);
  const near = nearest(schedule, names, 2);
  const there = ofEngine.schedules.map(({ name }) => name);
  const more =
    near !== undefined
      ? `did you mean ${near}?`
      : there.length > 0
        ? `its engine has ${there.slice(0, 20).join(", ")}.`
        : "its engine has none.";
  console.error(printable(`There is no schedule ${schedule}; ${more}`));
}

/** Of Postgres: no such schema, no such table. */
const ABSENT = ["3F000", "42P01"];
/** No right to it. */
const FORBIDDEN = "42501";

function explained(error: unknown, databaseUrl: string): unknown {
  const { code } = error as { code?: unknown };
  if (ABSENT.includes(String(code)))
    return new Misuse(
      "This database has no tables of the scheduler: run make migrate against it first.",
    );
  if (code === FORBIDDEN)
    return new Misuse(
      "The user of DATABASE_URL may not read the scheduler's tables: use the owner of the database, as make migrate does.",
    );
  return explainPostgres(error, databaseUrl);
}

async function main(env: NodeJS.ProcessEnv): Promise<number> {
  const asked = readAsked(env);
  const { DATABASE_URL: databaseUrl } = readEnvironment({ DATABASE_URL: true });
  const pool = openDatabase(
    { databaseUrl, max: 1, name: "tl-engine schedules" },
    createLog({}, "silent"),
  );
  try {
    const lines = await show(pool, asked).catch((error) => {
      throw explained(error, databaseUrl);
    });
    for (const line of lines ?? []) console.log(asked.asJson ? line : printable(line));
    return lines === undefined ? EXIT_FAILED : 0;
  } finally {
    await pool.end();
  }
}

try {
  process.exitCode = await main(process.env);
} catch (error) {
  if (!(error instanceof Misuse || error instanceof StartFailure)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = error instanceof StartFailure && error.temporary ? EXIT_FAILED : EXIT_MISUSED;
}
