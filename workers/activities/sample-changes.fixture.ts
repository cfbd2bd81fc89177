/** Change sets for tests and the bench, as Plane sends them today. */

export const STATES = {
  "state-open": { name: "Open", group: "unstarted" },
  "state-doing": { name: "In progress", group: "started" },
  "state-done": { name: "Done", group: "completed" },
};

export const LOOKUPS = {
  states: STATES,
  labels: {
    "label-bug": { name: "Bug" },
    "label-core": { name: "Core" },
    "label-ios": { name: "iOS" },
  },
  users: { ana: { name: "Ana" }, bo: { name: "Bo" }, eve: { name: "Eve" } },
  estimates: {
    "estimate-3": { name: "3", type: "points" },
    "estimate-5": { name: "5", type: "points" },
    "estimate-xl": { name: "XL", type: "categories" },
  },
  issues: {
    "item-1": { name: "SHOP-1" },
    "item-2": { name: "SHOP-2" },
    "item-3": { name: "SHOP-3" },
  },
  cycles: { "cycle-1": { name: "Sprint 1" }, "cycle-2": { name: "Sprint 2" } },
  modules: { "module-1": { name: "Checkout" } },
};

/** A message as tl-plane publishes it: snake_case, the data as JSON in strings. */
export const planeMessage = (
  type: string,
  requested: unknown,
  current: unknown = null,
  more: object = {},
) => ({
  type,
  issue_id: "item-1",
  project_id: "project-1",
  workspace_id: "workspace-1",
  actor_id: "ana",
  epoch: 1_760_000_000,
  requested_data: requested === null ? null : JSON.stringify(requested),
  current_instance: current === null ? null : JSON.stringify(current),
  subscriber: true,
  notification: true,
  origin: "https://app.example",
  lookups: LOOKUPS,
  ...more,
});

/** Updates in about the mix of a real tracker: state, assignee, labels, priority, dates, often two at once. */
export const USUAL_UPDATES = [
  planeMessage("issue.activity.updated", { state_id: "state-doing" }, { state_id: "state-open" }),
  planeMessage("issue.activity.updated", { assignee_ids: ["bo"] }, { assignee_ids: [] }),
  planeMessage(
    "issue.activity.updated",
    { state_id: "state-done", assignee_ids: ["ana"] },
    { state_id: "state-doing", assignee_ids: ["bo"] },
  ),
  planeMessage(
    "issue.activity.updated",
    { label_ids: ["label-core", "label-ios"] },
    { label_ids: ["label-bug", "label-core"] },
  ),
  planeMessage("issue.activity.updated", { priority: "high" }, { priority: "urgent" }),
  planeMessage(
    "issue.activity.updated",
    { target_date: "2026-01-06" },
    { target_date: "2025-12-23" },
  ),
  planeMessage(
    "issue.activity.updated",
    { state_id: "state-done", assignee_ids: [], label_ids: ["label-bug"] },
    { state_id: "state-doing", assignee_ids: ["eve"], label_ids: ["label-bug"] },
  ),
  planeMessage(
    "issue.activity.updated",
    { description_html: "<p>It fails on the second try.</p>" },
    { description_html: "<p>It fails.</p>" },
  ),
];
