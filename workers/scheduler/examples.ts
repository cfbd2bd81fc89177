/** Good jobs of the actions that take any. */
import type { Example } from "@tl-engine/shared";

const at = (n: number) => new Date(Date.UTC(2026, 0, 1, n % 24)).toISOString();
/** Of names the part that tests find and remove. */
const nameOf = (n: number, workspaceId: string) =>
  `analytics.${workspaceId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "-")
    .slice(0, 30)}-${n % 1_000}`.replace(/\.(?=[^a-z])/, ".w");

const named = (n: number, workspaceId: string) => ({ name: nameOf(n, workspaceId) });

const NIGHTLY: Example = {
  title: "Every night at two in Madrid, with the last missed night caught up for half a day.",
  input: (n, workspaceId) => ({
    name: nameOf(n, workspaceId),
    type: "analytics.flow.v1",
    cron: "0 2 * * *",
    timeZone: "Europe/Madrid",
    input: { scope: { workspaceId }, window: { from: "2026-01-01", to: "2026-03-31" } },
    catchUp: { policy: "once", windowSeconds: 43_200 },
  }),
};
const QUARTERLY: Example = {
  title: "In snake_case: every quarter of an hour, spread over a minute, one run at a time.",
  input: (n, workspaceId) => ({
    name: nameOf(n, workspaceId),
    type: "analytics.flow.v1",
    lane: "bulk",
    every_seconds: 900,
    jitter_seconds: 60,
    overlap: "queue-one",
    run_limit_seconds: 600,
    catch_up: { policy: "skip" },
    input: {},
  }),
};
const JOB = { engine: "analytics", id: "order-4711:reminder" };

export const EXAMPLES = {
  put: [NIGHTLY, QUARTERLY],
  pause: [{ title: "A schedule, until it is resumed.", input: named }],
  resume: [{ title: "It goes on with its next slot.", input: named }],
  run: [{ title: "Its job, now, beside its slots.", input: named }],
  backfill: [
    {
      title: "The slots of a morning that nobody ran.",
      input: (n, workspaceId) => ({
        ...named(n, workspaceId),
        ...{ from: "2026-01-05T06:00:00Z", to: "2026-01-05T09:00:00Z" },
      }),
    },
  ],
  remove: [{ title: "A schedule, with its jobs that wait.", input: named }],
  cancel: [
    { title: "A job that waits no more.", input: (n) => ({ ...JOB, id: `${JOB.id}-${n}` }) },
  ],
  change: [
    {
      title: "In snake_case: a job that is to run at once, its time being past.",
      input: (n) => ({ ...JOB, id: `${JOB.id}-${n}`, run_at: at(n) }),
    },
  ],
  list: [
    { title: "The first ten of an engine.", input: () => ({ engine: "analytics", limit: 10 }) },
  ],
} satisfies Record<string, readonly Example[]>;
