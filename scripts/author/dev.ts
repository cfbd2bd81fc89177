/** `make dev`: all workers on local services, each started anew when its code changes. */
import "../show/closed-pipe.ts";
import { existsSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { provideServices } from "../../shared/services/index.ts";
import { startReaper } from "../../shared/services/reaper.ts";
import { SCHEDULER } from "../../shared/wire/names.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { REPOSITORY, SCHEDULER_DEFAULTS, SCHEDULES_FILE } from "../repository.ts";
import { WORKERS, workerFolders } from "../workers.ts";
import { firstPort, inspectorPorts } from "./dev/inspector-ports.ts";
import { prettyLine } from "./dev/log-lines.ts";
import { declareTopology, runMigrations, writeContract } from "./dev/prepare.ts";
import { redoEdited } from "./dev/redo-migrations.ts";
import { type ReloadedWorker, superviseWorker } from "./dev/reloaded-worker.ts";
import { watchFolder } from "./dev/watch-folder.ts";

/** An editor saves many files at once, and each in several steps. */
const DEBOUNCE_MS = 60;
const EXIT_MISUSED = 2;
/** What no worker process loads. */
const NOT_LOADED = /\.(?:test|bench|fixture)\.ts$|^shared\/(?:testing|client)\//;
/** What may change an engine's schemas. */
const OF_CONTRACT = /^workers\/.*\.ts$/;

readDotEnv();
const { INSPECT, REDO } = process.env;
const portOf = readInspect(INSPECT);
const services = await provideServices();
const env = {
  // Type stripping and compiling are most of a start.
  NODE_COMPILE_CACHE: `${REPOSITORY}node_modules/.cache/tl-engine-dev`,
  HEALTH_PORT: "0",
  // A line for each job.
  LOG_LEVEL: "debug",
  ...SCHEDULER_DEFAULTS,
  ...process.env,
  ...services.env(),
};
const reaper = startReaper();
const workers = new Map<string, ReloadedWorker>();

const say = (line: string): void => {
  process.stdout.write(`${prettyLine("dev", line)}\n`);
};

const sayError = (error: unknown) => say(error instanceof Error ? error.message : String(error));

/** Where the inspector of a worker listens; a mistake ends the command before anything was started. */
function readInspect(inspect: string | undefined) {
  try {
    const from = firstPort(inspect);
    return from === undefined ? async () => undefined : inspectorPorts(from);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(EXIT_MISUSED);
  }
}

/** First what an edited migration needs: the next step would refuse it. */
async function migrate(): Promise<void> {
  await redoEdited({
    databaseUrl: services.databaseUrl,
    folders: (await workerFolders()).map((name) => join(WORKERS, name)),
    isOwn: services.sources.postgres !== "environment",
    isWanted: REDO === "1",
    say,
  });
  await runMigrations(env, say);
}

async function startWorker(name: string): Promise<void> {
  const inspectorPort = await portOf(name);
  if (inspectorPort !== undefined) say(`${name}: its inspector is at 127.0.0.1:${inspectorPort}`);
  const worker = superviseWorker({
    name,
    repository: REPOSITORY,
    env,
    inspectorPort,
    reaper,
    onLine: (line) => process.stdout.write(`${prettyLine(name, line)}\n`),
    onReady: (afterMs) => say(`${name} takes jobs after ${afterMs} ms`),
    onEnd: ({ how }, retryInMs) =>
      say(
        `${name} ended ${how}; ${retryInMs === undefined ? "waiting for a change" : "starting it again"}`,
      ),
  });
  workers.set(name, worker);
  void worker.reload();
}

/** Changed paths, relative to the repository, that were not looked at yet. */
let changed = new Set<string>();
let debounce: NodeJS.Timeout | undefined;
/** Changes are worked through one after another. */
let working = Promise.resolve();
/** And so is what follows from them, which no worker waits for. */
let following = Promise.resolve();

function onChange(path: string): void {
  const file = relative(REPOSITORY, path).replaceAll(sep, "/");
  if (!/\.(?:ts|lua|sql|json)$/.test(file) || NOT_LOADED.test(file)) return;
  changed.add(file);
  clearTimeout(debounce);
  debounce = setTimeout(() => {
    const files = [...changed];
    changed = new Set();
    working = working.then(() => apply(files)).catch(sayError);
  }, DEBOUNCE_MS);
}

async function apply(files: string[]): Promise<void> {
  const found = await workerFolders();
  const isNew = found.filter((name) => !workers.has(name));
  const affected = files.some((file) => file.startsWith("shared/"))
    ? [...workers.keys()]
    : [...workers.keys()].filter((name) =>
        files.some((file) => file.startsWith(`workers/${name}/`)),
      );
  const reloaded = affected.filter((name) => found.includes(name));
  say(`${files.join(", ")} changed: ${[...reloaded, ...isNew].join(", ") || "nothing to do"}`);

  for (const [name, worker] of workers) {
    if (found.includes(name)) continue;
    workers.delete(name);
    void worker.stop();
  }
  if (files.some((file) => file.endsWith(".sql")) || isNew.length > 0) await migrate();
  if (isNew.length > 0) await declareTopology(env, say);
  const starts = reloaded.map((name) => workers.get(name)?.reload());
  for (const name of isNew) await startWorker(name);
  following = following.then(() => followDefinitions(files, starts)).catch(sayError);
}

/** A worker may consume other events now, or have other schemas; it does not wait for that to take jobs. */
async function followDefinitions(
  files: string[],
  starts: (Promise<boolean> | undefined)[],
): Promise<void> {
  if (!files.some((file) => OF_CONTRACT.test(file))) return;
  if ((await Promise.all(starts)).includes(false)) return;
  if (files.some((file) => file.endsWith("/index.ts"))) await declareTopology(env, say);
  await writeContract(env, say);
  await followSchedules();
}

let schedules = readSchedules();

function readSchedules(): string {
  const file = `${REPOSITORY}${SCHEDULES_FILE}`;
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

/** A scheduler reads its file at its start alone. */
async function followSchedules(): Promise<void> {
  const before = schedules;
  schedules = readSchedules();
  if (schedules === before) return;
  say(`${SCHEDULES_FILE} changed: ${SCHEDULER}`);
  await workers.get(SCHEDULER)?.reload();
}

const watches = ["workers", "shared"].map((folder) =>
  watchFolder(`${REPOSITORY}${folder}`, onChange),
);

let stopping = false;
async function stop(exitCode = 0): Promise<void> {
  if (stopping) {
    for (const worker of workers.values()) worker.kill();
    await reaper.end();
    process.exit(1);
  }
  stopping = true;
  say("stopping; once more ends it at once");
  clearTimeout(debounce);
  for (const watch of watches) watch.close();
  await working;
  await Promise.all([...workers.values()].map((worker) => worker.stop()));
  await following;
  await reaper.end();
  await services.stop();
  process.exit(exitCode);
}
process.on("SIGINT", () => stop());
process.on("SIGTERM", () => stop());

say(
  `services: ${Object.entries(services.sources)
    .map(([name, source]) => `${name} (${source})`)
    .join(", ")}`,
);
try {
  await Promise.all([declareTopology(env, say), migrate()]);
  for (const name of await workerFolders()) await startWorker(name);
  following = writeContract(env, say).catch(sayError);
} catch (error) {
  sayError(error);
  await stop(1);
}
