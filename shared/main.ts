/** The process of one worker: `node shared/main.ts workers/<name>/index.ts`. */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { BadEnvironment, type Config, readConfig } from "./config.ts";
import type { WorkerDefinition } from "./define-worker.ts";
import { createLog } from "./log.ts";
import { drainDeadlineMs, startWorker } from "./worker.ts";

const EXIT_FAILED = 1;
const EXIT_MISCONFIGURED = 2;

async function main(path: string | undefined): Promise<void> {
  if (path === undefined)
    return misconfigured("usage: node shared/main.ts workers/<name>/index.ts");
  let config: Config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (error instanceof BadEnvironment) return misconfigured(error.message);
    throw error;
  }
  // An image names its worker by a link; the migrations are found by the folder's own name.
  const file = await realpath(path);
  const { default: definition } = (await import(pathToFileURL(file).href)) as {
    default: WorkerDefinition;
  };
  const log = createLog(
    { engine: definition.name, env: config.ENGINE_ENV, worker: config.WORKER_ID },
    config.LOG_LEVEL,
  );
  // Before anything is consumed: a signal in between would end the process without a drain.
  const starting = startWorker(definition, config, { log, folder: dirname(file) });
  stopOnSignals(async () => (await starting).stop(), drainDeadlineMs(definition));
  try {
    await starting;
  } catch (error) {
    log.fatal({ err: error }, "the worker could not start");
    process.exitCode = EXIT_MISCONFIGURED;
  }
}

/** The first signal drains; a second one exits at once. */
function stopOnSignals(stop: () => Promise<void>, deadlineMs: number): void {
  let stopping = false;
  const onSignal = () => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    setTimeout(() => process.exit(EXIT_FAILED), deadlineMs + 5_000).unref();
    stop().then(
      () => process.exit(0),
      () => process.exit(EXIT_MISCONFIGURED),
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

function misconfigured(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_MISCONFIGURED;
}

await main(process.argv[2]);
