/** An engine that kills its own process when told to, as an out-of-memory or a native crash would. */
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";

const HOLD_MS = 200;

export default defineWorker({
  name: "killer",
  concurrency: 32,
  timeoutMs: 5_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ kill: z.boolean(), n: z.number() }),
      output: z.object({ n: z.number() }),
      async handle({ kill, n }) {
        if (kill) setTimeout(() => process.kill(process.pid, "SIGKILL"), HOLD_MS / 2);
        await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
        return { n };
      },
    }),
  },
});
