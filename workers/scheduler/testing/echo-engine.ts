/** An engine that notes each run of a job, for jobs and slots to be aimed at. */
import { action, defineWorker } from "@tl-engine/shared";
import { z } from "zod";

export interface EchoRun {
  id: string;
  atMs: number;
  attempt: number;
  publisher: string | undefined;
}

/** @param runs where it notes them. @param busy what a run waits for. */
export const echoEngine = (runs: EchoRun[] = [], busy: { until?: Promise<unknown> } = {}) =>
  defineWorker({
    name: "echo",
    concurrency: 64,
    timeoutMs: 20_000,
    actions: {
      echo: action({
        version: 1,
        input: z.json(),
        output: z.object({ attempt: z.int() }),
        async handle(_input, { id, attempt, publisher }) {
          runs.push({ id, atMs: Date.now(), attempt, publisher });
          await busy.until;
          return { attempt };
        },
      }),
    },
  });
