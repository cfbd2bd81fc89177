/** The engine `template`: what it does, in one sentence. */
import { action, defineWorker } from "@tl-engine/shared";
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
      examples: [{ title: "Greets Ada.", input: (n) => ({ name: `Ada ${n}` }) }],
      handle({ name }) {
        return { greeting: `Hello, ${name}!` };
      },
    }),
  },
});
