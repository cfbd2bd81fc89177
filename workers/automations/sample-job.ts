/** A change of state, tried on three rules: a job of automations as its callers send it. */
import type { SampleJobs } from "@tl-engine/shared";

const NOW = "2026-03-31T12:00:00.000Z";
const ITEMS = 5_000;

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

const sampleJobs: SampleJobs = (n) => ({
  type: "automations.evaluate.v1",
  input: {
    event: {
      type: "item.updated",
      actor: "ada",
      changes: [{ field: "state", from: "doing", to: "done" }],
    },
    item: {
      id: `issue-${n % ITEMS}`,
      project: "project-1",
      name: `Item ${n}`,
      state: "done",
      stateGroup: "completed",
      priority: n % 2 ? "urgent" : "low",
      labels: ["bug"],
      createdBy: "grace",
      dueDate: "2026-03-01",
    },
    rules: SAMPLE_RULES,
    now: NOW,
  },
});

export default sampleJobs;
