/** Good jobs of each action, in several spellings. */
import type { Example } from "@tl-engine/shared";
import sampleJobs, { SAMPLE_RULES } from "./sample-job.ts";

const NOW = "2026-03-31T12:00:00.000Z";

export const EVALUATE_EXAMPLES: readonly Example[] = [
  {
    title: "An item is done: three rules, one matches.",
    input: (n) => ({
      event: {
        type: "item.updated",
        actor: "ada",
        changes: [{ field: "state", from: "doing", to: "done" }],
      },
      item: {
        id: `issue-${n}`,
        project: "project-1",
        name: `Item ${n}`,
        state: "done",
        stateGroup: "completed",
        priority: "low",
        labels: ["bug"],
        createdBy: "grace",
        dueDate: "2026-03-01",
      },
      rules: SAMPLE_RULES,
      now: NOW,
    }),
  },
  {
    title: "A dry run in Plane's names, which says why the rule did not match.",
    input: (n) => ({
      event: { type: "item.created", actor: "ada", depth: 1, path: ["intake"] },
      item: { id: `issue-${n}`, state_id: "todo", label_ids: ["docs"], target_date: null },
      rules: [
        {
          id: "bugs-have-a-date",
          trigger: { on: "item.created" },
          conditions: {
            all: [
              { field: "labels", op: "contains", value: "bug" },
              { field: "dueDate", op: "empty" },
            ],
          },
          actions: [{ type: "comment", text: "When is it due?" }],
        },
      ],
      now: NOW,
      explain: true,
    }),
  },
];

export const RULES_EXAMPLES: readonly Example[] = [
  {
    title: "A set of three rules for a workspace.",
    input: (n, workspaceId) => ({
      workspaceId,
      put: [{ id: `set-${n}`, version: 1, rules: SAMPLE_RULES }],
    }),
  },
  {
    title: "In snake_case: a set for one project, and another that is gone.",
    input: (n, workspaceId) => ({
      workspace_id: workspaceId,
      put: [{ id: `new-${n}`, version: n + 1, project_id: "project-1", rules: SAMPLE_RULES }],
      remove: [{ id: `old-${n}`, version: n + 1 }],
    }),
  },
];

export const ITEMS_EXAMPLES: readonly Example[] = [
  {
    title: "What is known of an item, and another that is gone.",
    input: (n, workspaceId) => ({
      workspaceId,
      projectId: `${workspaceId}-project`,
      put: [
        {
          id: `issue-${n}`,
          at: NOW,
          fields: {
            name: `Item ${n}`,
            priority: "urgent",
            labels: ["bug"],
            target_date: "2026-04-30",
          },
        },
      ],
      remove: [{ id: `gone-${n}`, at: NOW }],
    }),
  },
];

export const REACT_EXAMPLES: readonly Example[] = [
  {
    title: "An item is done.",
    input: (n, workspaceId) => ({
      ...(sampleJobs(n, []).input as object),
      workspaceId,
      projectId: `${workspaceId}-project`,
    }),
  },
];
