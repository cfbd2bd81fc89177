/** The engine `template`: what it does, in one sentence. */
import { action, defineWorker } from "@tl-engine/shared";
import sampleJobs from "./sample-job.ts";
import { GreetInput, GreetOutput } from "./schemas.ts";

export default defineWorker({
  name: "template",
  concurrency: 16,
  timeoutMs: 10_000,
  actions: {
    /** An example to replace. */
    greet: action({
      version: 1,
      input: GreetInput,
      output: GreetOutput,
      examples: [{ title: "Greets Ada.", input: (n) => sampleJobs(n, []).input }],
      handle({ name }) {
        return { greeting: `Hello, ${name}!` };
      },
    }),
  },
});
