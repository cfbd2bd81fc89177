/** Good jobs of both actions, in both spellings. */
import type { Example } from "@tl-engine/shared";
import sampleJobs from "./sample-job.ts";

const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
const STATES = {
  doing: { name: "In progress", group: "started" },
  done: { name: "Done", group: "completed" },
};

export const INGEST_EXAMPLES: readonly Example[] = [
  {
    title: "An item that is begun.",
    input: (n, workspaceId) => ({ ...(sampleJobs(n, []).input as object), workspaceId }),
  },
  {
    title: "In snake_case: an item of which only the present is known.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      project_id: `project-${n % 18}`,
      items: [{ id: `new-${n}`, created_at: at(n), state: "doing", points: 3, labels: ["bug"] }],
      states: STATES,
    }),
  },
];

const WINDOW = { from: "2026-01-01", to: "2026-03-31" };

export const FLOW_EXAMPLES: readonly Example[] = [
  {
    title: "A project's burn-up and throughput in a quarter.",
    input: (_n, workspaceId) => ({
      scope: { workspaceId, projectId: "project-0" },
      window: WINDOW,
      metrics: ["burn", "throughput"],
    }),
  },
  {
    title: "In snake_case: when two projects will be done, drawn as SVG.",
    input: (_n, workspaceId) => ({
      scope: {
        workspace_id: workspaceId,
        project_ids: ["project-0", "project-1"],
      },
      window: { ...WINDOW, time_zone: "Europe/Madrid" },
      metrics: [],
      forecast: { history_days: 60, percentiles: [50, 85] },
      as_of: "2026-03-31T12:00:00Z",
      svg: true,
      title: null,
    }),
  },
];
