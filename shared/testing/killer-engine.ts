/** An engine that kills its own process when told to, or when too many run at once, as an out-of-memory or a native crash would. */
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";

const HOLD_MS = 200;
/** What fits in its memory, as it were. */
const CROWD = 4;
const kill = () => process.kill(process.pid, "SIGKILL");
let running = 0;

export default defineWorker({
  name: "killer",
  concurrency: 32,
  timeoutMs: 5_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ kill: z.boolean(), n: z.number() }),
      output: z.object({ n: z.number() }),
      async handle({ kill: kills, n }) {
        if (kills) setTimeout(kill, HOLD_MS / 2);
        await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
        return { n };
      },
    }),
    crowd: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      async handle() {
        if (++running > CROWD) setTimeout(kill, HOLD_MS / 2);
        await new Promise((resolve) => setTimeout(resolve, HOLD_MS));
        running--;
        return {};
      },
    }),
  },
});
