/** The demo's rules, deadlines and sweep, and what they come to by one plain pass over the history. */
import type {
  ActivitiesRecordOutput,
  AutomationsPoliciesInput,
  AutomationsRulesInput,
  AutomationsSweepInput,
  AutomationsTrackInput,
} from "../../../shared/client/contract.ts";
import type { Plan, PlannedJob } from "./plan.ts";
import type { StateGroup } from "./plane.ts";

const DAY_MS = 86_400_000;
const TARGET_DAYS = 90;
const POLICY = "resolve";
/** Projects with deadlines: the biggest. */
const PROMISING = 3;
/** A month of a sweep's is of 30 days. */
const [ARCHIVE_IN, CLOSE_IN] = [3, 12];
const MOST_SWEPT = 10_000;
const MOST_TRACKED = 500;
const DONE: ReadonlySet<string> = new Set(["completed", "cancelled"]);

const RULE = { urgent: "urgent", done: "done", created: "created", breached: "breached" } as const;

export function ruleSet({ workspaceId, runId }: Plan): AutomationsRulesInput {
  const actions = [{ type: "notify" as const, roles: ["creator" as const], text: "Please look." }];
  const updated = (id: string, field: string, to: string) => ({
    id,
    trigger: { on: "item.updated" as const, fields: [field], to },
    actions,
  });
  return {
    workspaceId,
    put: [
      {
        ...{ id: `demo-${runId}`, version: 1 },
        rules: [
          updated(RULE.urgent, "priority", "urgent"),
          updated(RULE.done, "stateGroup", "completed"),
          { id: RULE.created, trigger: { on: "item.created" }, actions },
          { id: RULE.breached, trigger: { on: "sla.breached" }, actions },
        ],
      },
    ],
  };
}

/** `<rule> <item> <epoch>` of each rule that fires by a change. */
export function firedHere(
  jobs: readonly PlannedJob[],
  outputs: ReadonlyMap<string, ActivitiesRecordOutput>,
): Set<string> {
  const fired = new Set<string>();
  for (const { id, input } of jobs) {
    const fire = (rule: string) => fired.add(`${rule} ${input.issueId} ${input.epoch}`);
    const groupOf = (state: string | null) => state && input.lookups.states[state]?.group;
    const activities = outputs.get(id)?.activities ?? [];
    if (activities.length > 0 && input.type === "issue.activity.created") fire(RULE.created);
    if (input.type !== "issue.activity.updated") continue;
    for (const { field, newValue, oldIdentifier, newIdentifier } of activities) {
      if (field === "priority" && newValue === "urgent") fire(RULE.urgent);
      if (field !== "state" || groupOf(newIdentifier) !== "completed") continue;
      if (groupOf(oldIdentifier) !== "completed") fire(RULE.done);
    }
  }
  return fired;
}

export const firedByBreaches = (breached: ReadonlyMap<string, number>): string[] =>
  [...breached].map(([itemId, atMs]) => `${RULE.breached} ${itemId} ${atMs / 1_000}`);

interface ItemStates {
  projectId: string;
  createdMs: number;
  changes: { atMs: number; state: string; group: StateGroup | "" }[];
  updatedMs: number;
}

/** Every item's states, as its jobs tell them. */
export function statesOfItems(jobs: readonly PlannedJob[]): Map<string, ItemStates> {
  const items = new Map<string, ItemStates>();
  for (const { input, projectId } of jobs) {
    const atMs = Math.round(input.epoch * 1_000);
    const item = items.get(input.issueId) ?? {
      projectId,
      createdMs: atMs,
      changes: [],
      updatedMs: 0,
    };
    items.set(input.issueId, item);
    item.updatedMs = Math.max(item.updatedMs, atMs);
    const state = input.requested.state_id;
    if (typeof state !== "string") continue;
    item.changes.push({ atMs, state, group: input.lookups.states[state]?.group ?? "" });
  }
  return items;
}

const iso = (ms: number) => new Date(ms).toISOString();
const isPromised = (plan: Plan, projectId: string) =>
  plan.projects.slice(0, PROMISING).some(({ id }) => id === projectId);

export function policiesOf(plan: Plan): AutomationsPoliciesInput[] {
  const items = [...statesOfItems(plan.jobs).values()];
  return plan.projects.slice(0, PROMISING).map(({ id: projectId }) => {
    const changes = items.filter((it) => it.projectId === projectId).flatMap((it) => it.changes);
    const done = changes.filter(({ group }) => DONE.has(group)).map(({ state }) => state);
    const policy = {
      stopStates: [...new Set(done)],
      targetSeconds: (TARGET_DAYS * DAY_MS) / 1_000,
    };
    const put = [{ id: POLICY, policy, updatedAt: `${plan.lastDay}T00:00:00Z` }];
    return { workspaceId: plan.workspaceId, projectId, put };
  });
}

/** The items of those projects, with all of their states. */
export function tracksOf(plan: Plan): AutomationsTrackInput[] {
  const { workspaceId } = plan;
  const inputs: AutomationsTrackInput[] = [];
  const byProject = Map.groupBy(statesOfItems(plan.jobs), ([, { projectId }]) => projectId);
  for (const [projectId, items] of byProject)
    for (let from = 0; from < items.length && isPromised(plan, projectId); from += MOST_TRACKED)
      inputs.push({
        ...{ workspaceId, projectId },
        items: items.slice(from, from + MOST_TRACKED).map(([id, { createdMs, changes }]) => ({
          ...{ id, createdAt: iso(createdMs) },
          history: changes.map(({ atMs, state }) => ({ at: iso(atMs), state })),
        })),
      });
  return inputs;
}

/** Item → when its time was over, epoch ms: the time that it was not done, on a clock that always goes. */
export function breachedHere(plan: Plan, nowMs: number): Map<string, number> {
  const breached = new Map<string, number>();
  for (const [id, { projectId, createdMs, changes }] of statesOfItems(plan.jobs)) {
    if (!isPromised(plan, projectId)) continue;
    let leftMs = TARGET_DAYS * DAY_MS;
    let [sinceMs, runs] = [createdMs, true];
    for (const { atMs, group } of [
      ...changes.toSorted((a, b) => a.atMs - b.atMs),
      { atMs: nowMs, group: "" },
    ]) {
      if (runs && atMs - sinceMs > leftMs) {
        breached.set(id, sinceMs + leftMs);
        break;
      }
      if (runs) leftMs -= atMs - sinceMs;
      [sinceMs, runs] = [atMs, !DONE.has(group)];
    }
  }
  return breached;
}

const closingState = (projectId: string) => `${projectId}-closed`;

export function sweepsOf(plan: Plan): AutomationsSweepInput[] {
  const items = [...statesOfItems(plan.jobs)].map(([id, { projectId, changes, updatedMs }]) => ({
    ...{ id, projectId, updatedAt: iso(updatedMs) },
    stateGroup: groupNow(changes),
  }));
  const projects = plan.projects.map(({ id }) => ({
    ...{ id, archiveIn: ARCHIVE_IN, closeIn: CLOSE_IN, closeStateId: closingState(id) },
  }));
  const inputs: AutomationsSweepInput[] = [];
  for (let from = 0; from < items.length; from += MOST_SWEPT)
    inputs.push({ projects, items: items.slice(from, from + MOST_SWEPT), now: iso(endOf(plan)) });
  return inputs;
}

const endOf = ({ lastDay }: Plan) => Date.parse(`${lastDay}T00:00:00Z`) + DAY_MS;
const groupNow = (changes: ItemStates["changes"]) =>
  changes.toSorted((a, b) => a.atMs - b.atMs).at(-1)?.group || "unstarted";

/** `archive <item>` and `close <item>`: done and untouched for three months, or open and untouched for twelve. */
export function sweptHere(plan: Plan): Set<string> {
  const swept = new Set<string>();
  for (const [id, { changes, updatedMs }] of statesOfItems(plan.jobs)) {
    const isDone = DONE.has(groupNow(changes));
    const days = (isDone ? ARCHIVE_IN : CLOSE_IN) * 30;
    if (endOf(plan) - updatedMs >= days * DAY_MS)
      swept.add(`${isDone ? "archive" : "close"} ${id}`);
  }
  return swept;
}
