/** The engine `analytics`: keeps the history of work items and computes flow metrics and forecasts from it. */
import { action, defineWorker, Reject } from "@tl-engine/shared";
import { ingestInputOf } from "./activity-event.ts";
import { flow } from "./flow.ts";
import { ingest } from "./ingest.ts";
import { FlowInput, FlowOutput, IngestInput, IngestOutput } from "./schemas.ts";
import { changesOf, HistoryTooLarge } from "./store.ts";
import { inTurns } from "./turns.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "analytics",
  concurrency: 64,
  timeoutMs: 30_000,
  transactions: 0,
  actions: {
    /** Adds to the history, in bulk or from an event. What is there already stays as it is. */
    ingest: action({
      version: 1,
      input: IngestInput,
      output: IngestOutput,
      maxInputBytes: 8 * MIB,
      handleBatch: (jobs, batch) =>
        ingest(
          jobs.map(({ input }) => input),
          batch,
        ),
    }),

    /** Computes the metrics of a project, several, or a cycle. */
    flow: action({
      version: 1,
      input: FlowInput,
      output: FlowOutput,
      maxOutputBytes: 8 * MIB,
      async handle(input, job) {
        try {
          const changes = await changesOf(job.db, input.scope, job.signal);
          return await inTurns(flow(input, changes, Date.now()), job.signal);
        } catch (error) {
          if (error instanceof HistoryTooLarge) throw new Reject(error.message, { cause: error });
          throw error;
        }
      },
    }),
  },
  on: { "activity.recorded": { action: "ingest", map: ingestInputOf } },
});
