/** A change of an item, as each event of `activities` brings one, and rules as people write them. */
import type { SampleJobs } from "@tl-engine/shared";

/** Rules as people write them. */
export const SAMPLE_RULES = [
  {
    id: "done-tells-creator",
    trigger: { on: "item.updated", fields: ["state"] },
    conditions: { field: "stateGroup", op: "equals", value: "completed" },
    actions: [{ type: "notify", roles: ["creator"], text: "It is done." }],
  },
  {
    id: "urgent-bug",
    trigger: { on: ["item.created", "item.updated"], fields: ["priority", "labels"] },
    conditions: {
      all: [
        { field: "priority", op: "equals", value: "urgent" },
        { field: "labels", op: "contains", value: "bug" },
      ],
    },
    actions: [{ type: "add", field: "assignees", values: ["on-call"] }],
  },
  {
    id: "overdue",
    trigger: { on: "item.updated" },
    conditions: {
      all: [
        { field: "dueDate", op: "before", value: { days: 0 } },
        { field: "stateGroup", op: "not_in", value: ["completed", "cancelled"] },
      ],
    },
    actions: [{ type: "set", field: "priority", value: "high" }],
  },
];

const ITEMS = 5_000;
const PROJECTS = 18;
const FIRST_CHANGE_S = 1_700_000_000;

const sampleJobs: SampleJobs = (n) => ({
  type: "automations.react.v1",
  input: {
    workspaceId: "workspace-1",
    projectId: `project-${n % PROJECTS}`,
    actorId: "ada",
    epoch: FIRST_CHANGE_S + n,
    items: [
      {
        id: `issue-${n % ITEMS}`,
        type: "item.updated",
        changes: [
          { field: "state", from: "doing", to: "done" },
          { field: "stateGroup", from: "started", to: "completed" },
          { field: "labels", from: null, to: "bug" },
        ],
      },
    ],
  },
});

export default sampleJobs;
