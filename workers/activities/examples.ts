/** Good jobs of `record`: the usual one, as a Python program writes it, and as Plane hands it to Celery today. */
import type { Example } from "@tl-engine/shared";
import sampleJobs from "./sample-job.ts";

const EPOCH = 1_767_225_600;

export const RECORD_EXAMPLES: readonly Example[] = [
  {
    title: "A new state, a higher priority, one label more and one less.",
    input: (n, workspaceId) => ({ ...(sampleJobs(n, []).input as object), workspaceId }),
  },
  {
    title: "In snake_case: an item is done, by somebody else than planned.",
    input: (n, workspaceId) => ({
      type: "issue.activity.updated",
      workspace_id: workspaceId,
      project_id: "web",
      issue_id: `WEB-${n}`,
      actor_id: "ana",
      epoch: EPOCH + n,
      requested: { state_id: "done", assignee_ids: ["ana"] },
      current: { state_id: "doing", assignee_ids: ["bo"] },
      lookups: {
        states: {
          doing: { name: "In progress", group: "started" },
          done: { name: "Done", group: "completed" },
        },
        users: { ana: { name: "Ana" }, bo: { name: "Bo" } },
      },
    }),
  },
  {
    title: "What Plane hands to Celery: JSON in strings, and keys that only Celery's task needs.",
    input: (n, workspaceId) => ({
      type: "comment.activity.created",
      requested_data: JSON.stringify({ id: `comment-${n}`, comment_html: "<p>It works.</p>" }),
      current_instance: null,
      issue_id: `WEB-${n}`,
      actor_id: "ana",
      project_id: "web",
      workspace_id: workspaceId,
      epoch: EPOCH + n,
      notification: true,
      origin: "https://app.example",
    }),
  },
];
