/** Keeps the states that items went through, from jobs and from events, and looks at their deadlines at once. */
import type { Batch, BatchItem } from "@tl-engine/shared";
import type { z } from "zod";
import type { HappenedTo, ReactInput } from "../schemas/keep.ts";
import { readItems } from "./read-items.ts";
import {
  PRIORITIES,
  type Priority,
  SLA_CEILINGS,
  type TrackInput,
  type TrackOutput,
} from "./schemas.ts";
import { type LookAt, type SlaEmits, settleItems } from "./settle-items.ts";
import { keepItems, readPolicies, type ToldItem } from "./store.ts";

export async function track(
  jobs: readonly BatchItem<TrackInput, SlaEmits>[],
  { tx }: Pick<Batch, "tx">,
): Promise<z.input<typeof TrackOutput>[]> {
  const nowMs = Date.now();
  const told: ToldItem[] = [];
  const looks: LookAt[] = [];
  const read = jobs.map((job) => {
    const { workspaceId, projectId, updatedAt, items, keyWarnings } = job.input;
    const { good, warnings } = readItems(items, keyWarnings);
    for (const { id: itemId, history } of good) {
      const latestMs = history.changes.reduce(
        (at, { atMs }) => Math.max(at, atMs),
        history.createdMs,
      );
      told.push({
        ...{
          workspaceId,
          projectId,
          itemId,
          createdMs: history.createdMs,
          changes: history.changes,
        },
        priority: {
          value: history.priority,
          atMs: updatedAt === undefined ? latestMs : Date.parse(updatedAt),
        },
      });
      looks.push({ job, projectId, itemId, nowMs });
    }
    return { good, warnings };
  });
  await keepItems(tx, told);
  const settled = (await settleItems(tx, looks)).values();
  return read.map(({ good, warnings }) => ({
    items: good.length,
    timers: settled
      .take(good.length)
      .filter(({ nextCheckMs }) => nextCheckMs !== undefined)
      .toArray().length,
    warnings: warnings.slice(0, SLA_CEILINGS.warningsListed),
    warningsTotal: warnings.length,
  }));
}

/** What an event tells of items whose project has policies; of others nothing is kept. */
export async function trackEvents(
  jobs: readonly BatchItem<ReactInput, SlaEmits>[],
  { tx }: Pick<Batch, "tx">,
): Promise<void> {
  const policies = await readPolicies(
    tx,
    jobs.map(({ input: { projectId } }) => projectId),
  );
  const nowMs = Date.now();
  const tracked = jobs.filter(({ input: { projectId } }) => policies.has(projectId));
  const told: ToldItem[] = [];
  const looks: LookAt[] = [];
  for (const job of tracked)
    for (const happened of job.input.items) {
      const item = toldOf(job.input, happened);
      if (item === undefined) continue;
      told.push(item);
      looks.push({ job, projectId: item.projectId, itemId: item.itemId, nowMs });
    }
  await keepItems(tx, told);
  await settleItems(tx, looks);
}

/** Undefined where it is none of a deadline's concern. */
function toldOf(
  { workspaceId, projectId, epoch }: ReactInput,
  { id: itemId, type, changes, known, deleted }: HappenedTo,
): ToldItem | undefined {
  const atMs = Math.round(epoch * 1_000);
  const createdAt = type === "item.created" ? Date.parse(String(known.createdAt)) : Number.NaN;
  const createdMs = Number.isNaN(createdAt) ? atMs : createdAt;
  const states = changes.flatMap(({ field, to }) =>
    field === "state" && typeof to === "string" && to !== "" ? [{ atMs, state: to }] : [],
  );
  if (typeof known.state === "string" && known.state !== "")
    states.push({ atMs: createdMs, state: known.state });
  const priority = priorityOf(
    changes.findLast(({ field }) => field === "priority")?.to ?? known.priority,
  );
  if (states.length === 0 && priority === undefined && !deleted && type !== "item.created")
    return undefined;
  return {
    ...{ workspaceId: workspaceId ?? projectId, projectId, itemId, createdMs, changes: states },
    priority: priority && { value: priority, atMs },
    deletedMs: deleted ? Math.max(1, atMs) : undefined,
  };
}

const priorityOf = (value: unknown): Priority | undefined =>
  PRIORITIES.find((priority) => priority === value);
