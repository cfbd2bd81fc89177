/** `RetryLater`: what the job waits for is not there yet; it comes back, and no attempt is counted. */
import { action, defineWorker, RetryLater } from "@tl-engine/shared";
import { z } from "zod";

const LOOK_AGAIN_MS = 1_000;

export default defineWorker({
  name: "reports",
  concurrency: 16,
  timeoutMs: 5_000,
  transactions: 0,
  actions: {
    collect: action({
      version: 1,
      input: z.object({ report: z.string().min(1).max(100) }),
      output: z.object({ text: z.string() }),
      async handle({ report }, job) {
        // Every key of an engine begins with its prefix: its Redis user reaches no other.
        const text = await job.redis.get(`${job.keyPrefix}report:${report}`);
        // Never earlier than asked for. Meanwhile the job holds no place in the worker, and KEDA may scale to zero.
        if (text === null) throw new RetryLater(LOOK_AGAIN_MS);
        return { text };
      },
    }),
  },
});
