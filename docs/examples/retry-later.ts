/** `RetryLater`: what the job waits for is not there yet; it comes back, and no attempt is counted. */
import { action, defineWorker, RetryLater } from "@tl-engine/shared";
import { z } from "zod";

const LOOK_AGAIN_MS = 1_000;
const KEPT_S = 3_600;

export default defineWorker({
  name: "reports",
  concurrency: 16,
  timeoutMs: 5_000,
  transactions: 0,
  redis: true,
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

    /** Stands for whoever makes the report. */
    prepare: action({
      version: 1,
      input: z.object({ report: z.string().min(1).max(100), text: z.string() }),
      output: z.object({}),
      async handle({ report, text }, job) {
        await job.redis.set(`${job.keyPrefix}report:${report}`, text, "EX", KEPT_S);
        return {};
      },
    }),
  },
});

/** For `make example NAME=retry-later`. */
export const jobs = [
  ["collect", { report: "q3" }],
  ["prepare", { report: "q3", text: "all is well" }],
] as const;
