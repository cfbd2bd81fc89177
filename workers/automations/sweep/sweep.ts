/** Finds the items of projects that were left alone for long: those that are done to archive, the open ones to close. */
import type { z } from "zod";
import type { Warning } from "../schemas/vocabulary.ts";
import {
  SWEEP_CEILINGS,
  type SweepInput,
  type SweepOutput,
  SweptItem,
  SweptProject,
} from "./schemas.ts";

const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;
/** Items, cycles and modules between two chances for other jobs. */
const TURN = 1_000;
const DONE: ReadonlySet<string> = new Set(["completed", "cancelled"]);

type Swept = z.input<typeof SweepOutput>;

/** Yields now and then, so that others have their turn. */
export function* sweep(
  { projects, items, now, keyWarnings = [] }: SweepInput,
  clockMs = Date.now(),
): Generator<void, Swept> {
  const nowMs = now === undefined ? clockMs : Date.parse(now);
  const warnings: Warning[] = [...keyWarnings];
  const known = readProjects(projects, warnings);
  const seen = new Set<string>();
  const kept = new Set<string>();
  let elements = 0;
  const archive: Swept["archive"] = [];
  const close: Swept["close"] = [];
  for (const [index, sent] of items.entries()) {
    elements += sizeOf(sent);
    if (elements >= TURN) {
      elements = 0;
      yield;
    }
    const path = `items.${index}`;
    const { success, data: item, error } = SweptItem.safeParse(sent);
    if (!success) {
      warnings.push(badElement("bad_item", path, error));
      continue;
    }
    const project = known.get(item.projectId);
    if (project === undefined) {
      warnings.push({ code: "unknown_project", path, message: "its project is not in the job" });
      continue;
    }
    const { id: itemId, projectId } = item;
    const isHeld = isKept(item, nowMs);
    if (isHeld) kept.add(itemId);
    // A join of tables lists an item once for each of its cycles, of which any may keep it.
    if (seen.has(itemId)) {
      const message =
        "came before in this job, where the first one counts; what keeps it does in each";
      warnings.push({ code: "repeated_item", path, message });
      continue;
    }
    seen.add(itemId);
    if (project === "bad" || isHeld) continue;
    const months = DONE.has(item.stateGroup) ? project.archiveIn : project.closeIn;
    if (months === 0 || Date.parse(item.updatedAt) > nowMs - months * MONTH_MS) continue;
    if (DONE.has(item.stateGroup)) archive.push({ itemId, projectId });
    else if (project.closeStateId != null)
      close.push({ itemId, projectId, stateId: project.closeStateId });
  }
  const isFree = ({ itemId }: { itemId: string }) => !kept.has(itemId);
  return {
    ...{ archive: archive.filter(isFree), close: close.filter(isFree) },
    warnings: warnings.slice(0, SWEEP_CEILINGS.warningsListed),
    warningsTotal: warnings.length,
  };
}

function sizeOf(sent: unknown): number {
  const { cycles, modules } = (sent ?? {}) as Record<string, unknown>;
  const lengthOf = (list: unknown) => (Array.isArray(list) ? list.length : 0);
  return 1 + lengthOf(cycles) + lengthOf(modules);
}

/** What is wrong with one project is none of the others' concern. */
function readProjects(
  sent: readonly unknown[],
  warnings: Warning[],
): Map<string, SweptProject | "bad"> {
  const known = new Map<string, SweptProject | "bad">();
  sent.forEach((element, index) => {
    const path = `projects.${index}`;
    const { success, data: project, error } = SweptProject.safeParse(element);
    if (!success) {
      warnings.push(badElement("bad_project", path, error));
      const id = (element as { id?: unknown } | null)?.id;
      if (typeof id === "string" && !known.has(id)) known.set(id, "bad");
      return;
    }
    if (known.has(project.id)) {
      const message = "came before in this job, where the last good one counts";
      warnings.push({ code: "repeated_project", path, message });
    }
    known.set(project.id, checkedProject(project, path, warnings));
  });
  return known;
}

/** A state of another project's would take an item out of its own: nothing is closed then. */
function checkedProject(project: SweptProject, path: string, warnings: Warning[]): SweptProject {
  const { closeIn, closeStateId, stateIds } = project;
  if (closeIn === 0) return project;
  if (closeStateId == null) {
    const message = "has no closeStateId: its items are not closed";
    warnings.push({ code: "missing_close_state", path, message });
    return project;
  }
  if (stateIds === undefined || stateIds.includes(closeStateId)) return project;
  const message = "closeStateId is none of the project's states: its items are not closed";
  warnings.push({ code: "foreign_close_state", path: `${path}.closeStateId`, message });
  return { ...project, closeStateId: null };
}

function isKept(
  { archivedAt, isDraft, intake, cycles, modules }: SweptItem,
  nowMs: number,
): boolean {
  if (archivedAt != null || isDraft || intake === "pending" || intake === "snoozed") return true;
  return (
    cycles.some(({ endDate }) => !hasEnded(endDate, nowMs)) ||
    modules.some(({ targetDate }) => !hasEnded(targetDate, nowMs))
  );
}

function hasEnded(end: string | null, nowMs: number): boolean {
  if (end === null) return false;
  const isDay = !end.includes("T");
  return Date.parse(isDay ? `${end}T00:00:00Z` : end) + (isDay ? DAY_MS : 0) <= nowMs;
}

function badElement(code: string, path: string, error: z.ZodError): Warning {
  const [issue] = error.issues;
  return {
    code,
    path: [path, ...(issue?.path ?? [])].join("."),
    message: issue?.message ?? "can't be read",
  };
}
