/**
 * How the fields of a Jira-like tracker become those of Plane, which tl-plane is built on.
 *
 * - status and resolution → one state with a group ({@link planeState}); a resolution that refuses
 *   the work (Won't Fix, Duplicate, …) makes a resolved or closed issue Cancelled;
 * - priority → priority: Blocker urgent, Critical high, Major medium, Minor low, Trivial none;
 * - assignee → assignee_ids, of one or none;
 * - type, component, fixVersion and labels → label_ids: Plane's own importer knows no better place,
 *   and a module would need jobs of another type than a change set is;
 * - duedate → target_date, Story Points → estimate_point, parent → parent_id;
 * - any other field is sent by its name in snake_case, and the engine ignores it, as Plane does.
 */
import { createHash } from "node:crypto";

export type StateGroup = "backlog" | "unstarted" | "started" | "completed" | "cancelled";

export interface PlaneState {
  name: string;
  group: StateGroup;
}

const GROUPS: Readonly<Record<string, StateGroup>> = {
  received: "backlog",
  backlog: "backlog",
  triage: "backlog",
  "more details needed": "backlog",
  open: "unstarted",
  "to do": "unstarted",
  reopened: "unstarted",
  accepted: "unstarted",
  "volunteer needed": "unstarted",
  "selected for development": "unstarted",
  "in progress": "started",
  "in review": "started",
  "patch available": "started",
  testing: "started",
  resolved: "completed",
  closed: "completed",
  done: "completed",
};

const REFUSALS = new Set(["won't fix", "won't do", "duplicate", "cannot reproduce", "incomplete"]);

/** A status that nobody told us of counts as unstarted. */
export function planeState(status: string, resolution: string | null): PlaneState {
  const group = GROUPS[status.toLowerCase()] ?? "unstarted";
  if (group === "completed" && resolution !== null && REFUSALS.has(resolution.toLowerCase()))
    return { name: "Cancelled", group: "cancelled" };
  return { name: status, group };
}

const PRIORITIES: Readonly<Record<string, string>> = {
  blocker: "urgent",
  highest: "urgent",
  critical: "high",
  high: "high",
  major: "medium",
  medium: "medium",
  minor: "low",
  low: "low",
};

export const planePriority = (priority: string) => PRIORITIES[priority.toLowerCase()] ?? "none";

/** `2011-05-10 00:00:00.0` → `2011-05-10`. */
export const planeDate = (dueDate: string | null) => dueDate?.slice(0, 10) || null;

/** `timeoriginalestimate` stays; `Story Points` → `story_points`. */
export const planeKey = (field: string) => field.toLowerCase().replace(/[^a-z0-9]+/g, "_");

export type PlaneIds = (kind: string, name: string) => string;

/**
 * Name-based ids in the form of a UUID of version 5 (RFC 9562, section 5.5): the same run, kind and
 * name give the same id, and two runs share none.
 */
export function planeIds(runId: string): PlaneIds {
  const known = new Map<string, string>();
  return (kind, name) => {
    const text = JSON.stringify([runId, kind, name]);
    const id = known.get(text) ?? uuid(createHash("sha1").update(text).digest());
    known.set(text, id);
    return id;
  };
}

function uuid(digest: Buffer): string {
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x50;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return digest.toString("hex", 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
