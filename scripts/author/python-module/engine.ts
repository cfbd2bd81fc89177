/** The engine that the Python module's tests call: echoes, hangs until it is cancelled, refuses. */
import { action, defineWorker, Reject } from "@tl-engine/shared";
import { z } from "zod";
import type { TestFleet } from "../../../shared/testing/fleet.ts";

const Value = z.object({ value: z.unknown() });

export const definition = defineWorker({
  name: "python",
  concurrency: 16,
  timeoutMs: 60_000,
  actions: {
    echo: action({
      version: 1,
      maxInputBytes: 2_000,
      input: Value,
      output: Value,
      emits: { "python.echoed": Value },
      handle({ value }, job) {
        job.emit("python.echoed", { value });
        return { value };
      },
    }),
    hang: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      async handle(_input, job) {
        job.progress(0.5, "half way");
        await new Promise((_, reject) => {
          job.signal.addEventListener("abort", () => reject(job.signal.reason));
        });
        return {};
      },
    }),
    refuse: action({
      version: 1,
      input: z.object({}),
      output: z.object({}),
      handle() {
        throw new Reject("not today");
      },
    }),
  },
});

/** As `ENGINES` of the module; `absent` is an engine without queues. */
const actions = {
  echo: { version: 1, max_input_bytes: 2_000 },
  hang: { version: 1, max_input_bytes: 1_000 },
  refuse: { version: 1, max_input_bytes: 1_000 },
};
export const engines = { python: actions, absent: actions };

export const clientOptions = ({ config, names }: TestFleet) => ({
  amqp_url: config.AMQP_URL,
  database_url: config.DATABASE_URL,
  redis_url: config.REDIS_URL,
  prefix: names.prefix,
  app_id: `${names.prefix}x`,
  engines,
});
