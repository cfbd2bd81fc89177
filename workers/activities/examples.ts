/** Good jobs of `record`: the plainest, as a Python program writes it, and as Plane hands it to Celery today. */
import type { Example } from "@tl-engine/shared";

const PRIORITIES = ["none", "low", "medium", "high", "urgent"];
const EPOCH = 1_767_225_600;
const priority = (n: number) => PRIORITIES[n % PRIORITIES.length];

export const RECORD_EXAMPLES: readonly Example[] = [
  {
    title: "A priority is raised.",
    input: (n, workspaceId) => ({
      type: "issue.activity.updated",
      workspaceId,
      projectId: "web",
      issueId: `WEB-${n}`,
      actorId: "ana",
      epoch: EPOCH + n,
      requested: { priority: priority(n + 1) },
      current: { priority: priority(n) },
    }),
  },
  {
    title: "The same keys in snake_case, with the names that entries show.",
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
