/** The process of one worker: `node shared/main.ts workers/<name>/index.ts`. */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerDefinition } from "./engine/define-worker.ts";
import type { Config } from "./process/config.ts";
import { withoutLocales } from "./process/zod-insides.ts";

const EXIT_FAILED = 1;
const EXIT_MISCONFIGURED = 2;

async function main(path: string | undefined): Promise<void> {
  if (path === undefined)
    return misconfigured("usage: node shared/main.ts workers/<name>/index.ts");
  // A container's first process ignores a signal that it has no listener for, so it listens before the
  // imports, which take most of the start.
  const signals = listenForSignals();
  const withLocalesAgain = withoutLocales();
  const { BadEnvironment, readConfig } = await import("./process/config.ts");
  withLocalesAgain();
  let config: Config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (error instanceof BadEnvironment) return misconfigured(error.message);
    throw error;
  }
  const { createLog } = await import("./process/log.ts");
  const { exitDeadlineMs } = await import("./engine/deadlines.ts");
  const { startWorker } = await import("./worker.ts");
  // An image names its worker by a link; the migrations are found by the folder's own name.
  const file = await realpath(path);
  const { default: definition } = (await import(pathToFileURL(file).href)) as {
    default: WorkerDefinition;
  };
  const log = createLog(
    { engine: definition.name, env: config.ENGINE_ENV, worker: config.WORKER_ID },
    config.LOG_LEVEL,
  );
  const starting = startWorker(definition, config, { log, folder: dirname(file) });
  // Before anything is consumed: a signal in between would end the process without a drain.
  signals.drainBy(async () => (await starting).stop(), exitDeadlineMs(definition));
  try {
    await starting;
  } catch (error) {
    log.fatal({ err: error }, "the worker could not start");
    process.exitCode = EXIT_MISCONFIGURED;
  }
}

/** The first signal drains, or ends a process that has nothing to drain yet; a second one exits at once. */
function listenForSignals() {
  let stopping = false;
  let drain: () => void = () => process.exit(0);
  const onSignal = () => {
    if (stopping) process.exit(EXIT_FAILED);
    stopping = true;
    drain();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return {
    drainBy(stop: () => Promise<void>, deadlineMs: number): void {
      drain = () => {
        setTimeout(() => process.exit(EXIT_FAILED), deadlineMs).unref();
        stop().then(
          () => process.exit(0),
          () => process.exit(EXIT_MISCONFIGURED),
        );
      };
    },
  };
}

function misconfigured(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_MISCONFIGURED;
}

await main(process.argv[2]);
