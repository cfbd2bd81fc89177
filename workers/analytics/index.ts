/** The engine `analytics`: keeps the history of work items and computes flow metrics and forecasts from it. */
import { action, defineWorker, inTurns } from "@tl-engine/shared";
import { ingestInputOf } from "./activity-event.ts";
import { daysBetween } from "./days.ts";
import { FLOW_EXAMPLES, INGEST_EXAMPLES } from "./examples.ts";
import { flow } from "./flow.ts";
import { findHistory, readHistory } from "./history.ts";
import { ingest } from "./ingest.ts";
import { purge, Retention } from "./retention.ts";
import { Room } from "./room.ts";
import { CEILINGS, FlowInput, FlowOutput, IngestInput, IngestOutput } from "./schemas.ts";

const MIB = 1_048_576;
/** What the series of one day take of memory, in changes. */
const PER_DAY = 10;
const room = new Room(CEILINGS.changesPerFlow);

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
      examples: INGEST_EXAMPLES,
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
      examples: FLOW_EXAMPLES,
      maxOutputBytes: 8 * MIB,
      async handle(input, job) {
        const { db, signal } = job;
        const history = await findHistory(db, input.scope);
        const { from, to } = input.window;
        const size = history.changes + history.settled + PER_DAY * (daysBetween(from, to) + 1);
        const leave = await room.enter(size, signal);
        try {
          const { changes, settled } = await readHistory(db, history, signal);
          return await inTurns(flow(input, changes, Date.now(), settled), signal);
        } finally {
          leave();
        }
      },
    }),
  },
  on: { "activity.recorded": { action: "ingest", map: ingestInputOf } },
});
