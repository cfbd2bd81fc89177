/** The engine `analytics`: keeps the history of work items and computes flow metrics and forecasts from it. */
import { action, defineWorker, Reject } from "@tl-engine/shared";
import { ingestInputOf } from "./activity-event.ts";
import { factsOf } from "./facts.ts";
import { flow } from "./flow.ts";
import { purge, Retention } from "./retention.ts";
import { FlowInput, FlowOutput, IngestInput, IngestOutput } from "./schemas.ts";
import { addChanges, HistoryTooLarge, historyOf } from "./store.ts";
import { inTurns } from "./turns.ts";

const MIB = 1_048_576;

export default defineWorker({
  name: "analytics",
  concurrency: 64,
  timeoutMs: 30_000,
  transactions: 0,
  env: Retention,
  purge,
  actions: {
    /** Adds to the history, in bulk or from an event. What is there already stays as it is. */
    ingest: action({
      version: 1,
      input: IngestInput,
      output: IngestOutput,
      maxInputBytes: 8 * MIB,
      async handleBatch(jobs, batch) {
        const facts = jobs.map(({ input }) => factsOf(input));
        await addChanges(
          batch.tx,
          facts.map(({ changes }, i) => ({
            workspaceId: jobs[i]?.input.workspaceId ?? null,
            changes,
          })),
        );
        return facts.map(({ output }) => output);
      },
    }),

    /** Computes the metrics of a project, several, or a cycle. */
    flow: action({
      version: 1,
      input: FlowInput,
      output: FlowOutput,
      maxOutputBytes: 8 * MIB,
      async handle(input, job) {
        try {
          const { changes, settled } = await historyOf(job.db, input.scope, job.signal);
          return await inTurns(flow(input, changes, Date.now(), settled), job.signal);
        } catch (error) {
          if (error instanceof HistoryTooLarge) throw new Reject(error.message, { cause: error });
          throw error;
        }
      },
    }),
  },
  on: { "activity.recorded": { action: "ingest", map: ingestInputOf } },
});
