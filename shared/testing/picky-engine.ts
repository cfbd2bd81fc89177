/** An engine whose own schemas fail on some inputs, for tests of the runtime. */
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";

export const picky = defineWorker({
  name: "picky",
  concurrency: 4,
  timeoutMs: 3_000,
  actions: {
    url: action({
      version: 1,
      // An author's mistake: the transform throws where it should add an issue.
      input: z.string().transform((text) => new URL(text)),
      output: z.string(),
      handle: (url) => url.href,
    }),
    counts: action({
      version: 1,
      input: z.record(z.string(), z.number()),
      output: z.unknown(),
      handle: (counts) => counts,
    }),
    promise: action({
      version: 1,
      // Hidden well enough to be no `async` function when the worker is defined.
      input: z.string().refine(() => Promise.resolve(true) as unknown as boolean),
      output: z.string(),
      handle: (text) => text,
    }),
  },
});
