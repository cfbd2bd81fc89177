/** The engine `template`: what it does, in one sentence. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";

export default defineWorker({
  name: "template",
  concurrency: 16,
  timeoutMs: 10_000,
  actions: {
    /** An example to replace. */
    greet: action({
      version: 1,
      input: z.object({ name: z.string().min(1).max(200) }),
      output: z.object({ greeting: z.string() }),
      handle({ name }) {
        return { greeting: `Hello, ${name}!` };
      },
    }),
  },
});
