/** `make example NAME=tx`: runs one file of docs/examples in a fleet of its own, which is removed in the end. */
import "../show/closed-pipe.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { WorkerDefinition } from "../../shared/engine/define-worker.ts";
import { provideServices } from "../../shared/services/index.ts";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { useOwnDatabase } from "../../shared/testing/own-database.ts";
import type { Reply } from "../../shared/wire/reply.ts";
import activities from "../../workers/activities/index.ts";
import scheduler from "../../workers/scheduler/index.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { REPOSITORY } from "../repository.ts";
import { WORKERS } from "../workers.ts";

const FOLDER = join(REPOSITORY, "docs/examples");
/** No engine's: it is dropped in the end. */
const SCHEMA = "engine_example";
const PATIENCE_MS = 1_000;
/** What callers call. */
const CALLED = [activities, scheduler];

/** What an engine's file exports; a caller's exports nothing, and runs when it is loaded. */
interface EngineExample {
  default?: WorkerDefinition;
  jobs?: readonly (readonly [action: string, input: unknown])[];
  MIGRATION?: string;
}

async function runEngine(fleet: TestFleet, example: EngineExample): Promise<void> {
  const { default: definition, jobs = [], MIGRATION } = example as Required<EngineExample>;
  if (MIGRATION !== undefined)
    await fleet.pool.query(`create schema if not exists ${SCHEMA}; ${MIGRATION}`);
  try {
    await fleet.start(definition);
    const answers: Promise<void>[] = [];
    for (const [action, input] of jobs) {
      const id = await fleet.publish(definition.name, action, input);
      const answer = fleet.reply(id).then(({ reply }) => {
        console.log(`${action} ${JSON.stringify(input)}\n  ${endingOf(reply)}`);
      });
      answers.push(answer);
      // One after another, unless it waits for a later one.
      await Promise.race([answer, sleep(PATIENCE_MS, undefined, { ref: false })]);
    }
    await Promise.all(answers);
  } finally {
    if (MIGRATION !== undefined) await fleet.pool.query(`drop schema ${SCHEMA} cascade`);
  }
}

const endingOf = (reply: Reply) =>
  reply.status === "succeeded"
    ? `succeeded ${JSON.stringify(reply.output)}`
    : `failed ${reply.error.code}: ${reply.error.message}`;

async function runCaller(fleet: TestFleet, file: string): Promise<number> {
  for (const engine of CALLED) await fleet.start(engine);
  const env = { ...process.env, ...fleet.env };
  const child = spawn(process.execPath, [file], { env, stdio: "inherit" });
  const [code] = await once(child, "close");
  return code ?? 1;
}

async function main(name: string): Promise<void> {
  const file = join(FOLDER, `${name}.ts`);
  const names = readdirSync(FOLDER).filter((entry) => /^[\w-]+\.ts$/.test(entry));
  if (!names.includes(`${name}.ts`)) {
    console.error(
      `NAME=${name} is no example; there are: ${names.join(" ").replaceAll(".ts", "")}`,
    );
    process.exitCode = 2;
    return;
  }
  readDotEnv();
  const services = await provideServices();
  Object.assign(process.env, services.env());
  // A scheduler takes up all that its tables hold: those of a fleet that runs here are none of the example's.
  const database = await useOwnDatabase();
  const isCaller = !readFileSync(file, "utf8").includes("export default");
  const example = isCaller ? {} : ((await import(pathToFileURL(file).href)) as EngineExample);
  const fleet = await openTestFleet(
    example.default ? [example.default] : CALLED,
    CALLED.map(({ name: engine }) => join(WORKERS, engine)),
  );
  try {
    if (isCaller) process.exitCode = await runCaller(fleet, file);
    else await runEngine(fleet, example);
  } finally {
    await fleet.close();
    await database.drop();
    await services.stop();
  }
}

await main(process.env.NAME ?? "");
