/** A worker process of the crash test: the real runtime with the test engine, hooks at its steps, and perhaps planted bugs. */

import { exitDeadlineMs } from "../../../shared/engine/deadlines.ts";
import { readConfig } from "../../../shared/process/config.ts";
import { BURIALS } from "../../../shared/wire/names.ts";
import { type Parts, startWorker } from "../../../shared/worker.ts";
import { plantBugs } from "./bugs/index.ts";
import crash from "./engine/index.ts";
import { watchStalls } from "./engine/journal.ts";
import { withSteps } from "./engine/parts.ts";
import { takeOrders } from "./engine/steps.ts";
import { burials } from "./fleet.ts";

const EXIT_FAILED = 1;
const EXIT_MISCONFIGURED = 2;

// A crash test that is killed itself leaves no worker behind.
process.on("disconnect", () => process.exit(EXIT_FAILED));
takeOrders();
watchStalls();
try {
  const definition = process.env.CRASH_TEST_ENGINE === BURIALS ? burials : crash;
  const config = readConfig(process.env);
  const bugs = (process.env.CRASH_TEST_BUGS ?? "").split(",").filter((name) => name !== "");
  const parts = (given: Parts) => plantBugs(bugs, withSteps(given));
  const worker = await startWorker(definition, config, { parts });
  let isStopping = false;
  process.on("SIGTERM", () => {
    // As shared/main.ts does it: the first drains, the second exits at once.
    if (isStopping) process.exit(EXIT_FAILED);
    isStopping = true;
    setTimeout(() => process.exit(EXIT_FAILED), exitDeadlineMs(definition)).unref();
    void worker.stop().then(() => process.exit(0));
  });
  process.send?.("ready");
} catch (error) {
  console.error(error);
  process.exit(EXIT_MISCONFIGURED);
}
