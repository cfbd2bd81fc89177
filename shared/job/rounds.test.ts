/** Jobs that only compute, many at once, let the event loop turn in between. */
import { expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { openTestFleet } from "../testing/fleet.ts";
import { watchTurns } from "../testing/longest-turn.ts";

const JOBS = 20;
const COMPUTE_MS = 60;

test("many jobs that compute at once keep the event loop no longer than one of them", async () => {
  const computes = defineWorker({
    name: "computes",
    concurrency: JOBS,
    timeoutMs: 20_000,
    actions: {
      run: action({
        version: 1,
        input: z.object({}),
        output: z.object({}),
        handle() {
          const start = process.threadCpuUsage();
          let usedUs = 0;
          while (usedUs < COMPUTE_MS * 1_000) {
            const { user, system } = process.threadCpuUsage(start);
            usedUs = user + system;
          }
          return {};
        },
      }),
    },
  });
  const fleet = await openTestFleet([computes]);
  try {
    const ids = await Promise.all(
      Array.from({ length: JOBS }, () => fleet.publish("computes", "run", {})),
    );
    const longestMs = watchTurns();
    await fleet.start(computes);
    for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
    expect(longestMs()).toBeLessThan((JOBS * COMPUTE_MS) / 3);
  } finally {
    await fleet.close();
  }
});
