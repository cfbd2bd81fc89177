/** A worker process of the crash test: the real runtime with the test engine, hooks at its steps, and perhaps a planted bug. */

import { exitDeadlineMs } from "../../shared/engine/deadlines.ts";
import { readConfig } from "../../shared/process/config.ts";
import { type Parts, startWorker } from "../../shared/worker.ts";
import { plantBug } from "./bugs.ts";
import definition from "./engine/index.ts";
import { withSteps } from "./engine/parts.ts";
import { takeOrders } from "./engine/steps.ts";

const EXIT_FAILED = 1;
const EXIT_MISCONFIGURED = 2;

takeOrders();
try {
  const config = readConfig(process.env);
  const bug = process.env.CRASH_TEST_BUG;
  const parts = (given: Parts) => {
    const hooked = withSteps(given);
    return bug === undefined ? hooked : plantBug(bug, hooked);
  };
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
