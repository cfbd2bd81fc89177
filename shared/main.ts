/** The process of one worker, whose file is its argument: `workers/<name>/index.ts`. */
import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import type { WorkerDefinition } from "./engine/define-worker.ts";
import type { Config } from "./process/config.ts";
import { withoutLocales } from "./process/zod-insides.ts";

/** Starting again, with nothing changed, may help. */
const EXIT_TEMPORARY = 1;
/** Something has to be changed first. */
const EXIT_MISCONFIGURED = 2;

async function main(path: string | undefined): Promise<void> {
  if (path === undefined)
    return misconfigured(
      "usage: main.ts workers/<name>/index.ts; make worker NAME=<name> runs one",
    );
  // A container's first process ignores a signal that it has no listener for, so it listens before the
  // imports, which take most of the start.
  const { listenForSignals } = await import("./drain.ts");
  const signals = listenForSignals();
  const withLocalesAgain = withoutLocales();
  const { BadEnvironment, readConfig } = await import("./process/config.ts");
  withLocalesAgain();
  // An image names its worker by a link; the migrations are found by the folder's own name.
  const file = await realpath(path);
  const { default: definition } = (await import(pathToFileURL(file).href)) as {
    default: WorkerDefinition;
  };
  let config: Config;
  try {
    config = readConfig(process.env, definition.env, { files: Boolean(definition.files) });
  } catch (error) {
    if (error instanceof BadEnvironment) return misconfigured(error.message);
    throw error;
  }
  const { createLog } = await import("./process/log.ts");
  const { exitDeadlineMs } = await import("./engine/deadlines.ts");
  const { startWorker } = await import("./worker.ts");
  const { asError } = await import("./job/thrown.ts");
  const log = createLog(
    { engine: definition.name, env: config.ENGINE_ENV, worker: config.WORKER_ID },
    config.LOG_LEVEL,
  );
  // A handler's promise that nobody awaits is a bug of one job, and must not cost all others their worker.
  process.on("unhandledRejection", (error) => {
    log.error({ err: asError(error), alert: "unhandled_rejection" }, "a promise was not awaited");
  });
  const starting = startWorker(definition, config, { log, folder: dirname(file) });
  // Before anything is consumed: a signal in between would end the process without a drain.
  signals.drainBy(async () => (await starting).stop(), exitDeadlineMs(definition));
  try {
    await starting;
  } catch (error) {
    const { StartFailure } = await import("./process/start-failure.ts");
    log.fatal({ err: error }, "the worker could not start");
    // Whatever is still open, such as a server that does not answer, must not keep it.
    process.exit(
      error instanceof StartFailure && error.temporary ? EXIT_TEMPORARY : EXIT_MISCONFIGURED,
    );
  }
}

function misconfigured(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = EXIT_MISCONFIGURED;
}

await main(process.argv[2]);
