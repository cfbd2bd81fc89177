/** Two changes of one item: what an event of `activities` brings, as a job with a reply. */
import type { SampleJobs } from "@tl-engine/shared";

const ITEMS = 5_000;
const PROJECTS = 18;
const FIRST_CHANGE_MS = 1_700_000_000_000;
const BETWEEN_MS = 1_000;

const sampleJobs: SampleJobs = (n) => {
  const at = new Date(FIRST_CHANGE_MS + n * BETWEEN_MS).toISOString();
  return {
    type: "analytics.ingest.v1",
    input: {
      workspaceId: "workspace-1",
      projectId: `project-${n % PROJECTS}`,
      items: [
        {
          id: `issue-${n % ITEMS}`,
          history: [
            { at, field: "state", from: "todo", to: "doing" },
            { at, field: "label", from: "frontend", to: "backend" },
          ],
        },
      ],
    },
  };
};

export default sampleJobs;
