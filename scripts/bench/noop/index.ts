/** The engine of the benchmark: it does nothing, so that what is measured is the fleet around it. */
import { z } from "zod";
import { action, defineWorker } from "../../../shared/engine/define-worker.ts";
import { ENGINE_IN_FLIGHT } from "../load.ts";

export default defineWorker({
  name: "noop",
  concurrency: ENGINE_IN_FLIGHT,
  timeoutMs: 10_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({
        n: z.int(),
        issueId: z.string(),
        priority: z.enum(["urgent", "high", "medium", "low", "none"]),
        note: z.string(),
        labels: z.array(z.string()).max(100),
      }),
      output: z.object({ n: z.int() }),
      handle: ({ n }) => ({ n }),
    }),
  },
});
