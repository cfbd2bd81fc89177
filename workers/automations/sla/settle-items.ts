/** Looks how items stand now, announces the deadlines that are near or past, each once, and sets the next timer. */
import { createHash } from "node:crypto";
import type { Batch, BatchItem } from "@tl-engine/shared";
import { isoOf } from "./answer.ts";
import { type Standing, standingOf } from "./clock.ts";
import type { SlaBreached, SlaDueSoon } from "./schemas.ts";
import {
  holdSlaItems,
  itemKey,
  type KeptItem,
  type KeptPolicy,
  markTold,
  readPolicies,
  type Telling,
  tellingKey,
} from "./store.ts";

export type SlaEmits = { "sla.breached": typeof SlaBreached; "sla.due": typeof SlaDueSoon };
type Announcer = Pick<BatchItem<unknown, SlaEmits>, "emit" | "later">;

export interface LookAt {
  /** Whose job it is: it announces, and sets the timer. */
  job: Announcer;
  projectId: string;
  itemId: string;
  /** Epoch milliseconds: no earlier than the timer that led here. */
  nowMs: number;
}

export interface Settled {
  told: number;
  nextCheckMs: number | undefined;
}

/** One for each, in order. */
export async function settleItems(tx: Batch["tx"], asked: readonly LookAt[]): Promise<Settled[]> {
  const policies = await readPolicies(
    tx,
    asked.map(({ projectId }) => projectId),
  );
  const held = await holdSlaItems(
    tx,
    asked.filter(({ projectId }) => policies.has(projectId)),
  );
  const nowOf = new Map<string, number>();
  for (const look of asked)
    nowOf.set(itemKey(look), Math.max(look.nowMs, nowOf.get(itemKey(look)) ?? 0));
  const standings = held.flatMap((item) =>
    (policies.get(item.projectId) ?? []).map((policy) => ({
      item,
      policy,
      standing: standingOf(policy.compiled, item.history, nowOf.get(itemKey(item)) as number),
    })),
  );
  const fresh = await markTold(
    tx,
    standings.flatMap((one) => tellingsOf(one)),
  );
  const byItem = Map.groupBy(standings, ({ item }) => itemKey(item));
  return asked.map(({ job, projectId, itemId }) => {
    const own = byItem.get(itemKey({ projectId, itemId })) ?? [];
    let told = 0;
    for (const one of own)
      for (const telling of tellingsOf(one)) {
        // The first of several jobs about an item tells of it.
        if (!fresh.delete(tellingKey(telling))) continue;
        announce(job, one, telling.what);
        told++;
      }
    const checks = own.flatMap(({ standing: { nextCheckMs } }) => nextCheckMs ?? []);
    const nextCheckMs = checks.length === 0 ? undefined : Math.min(...checks);
    if (nextCheckMs !== undefined) setTimer(job, own[0]?.item as KeptItem, nextCheckMs);
    return { told, nextCheckMs };
  });
}

interface One {
  item: KeptItem;
  policy: KeptPolicy;
  standing: Standing;
}

/** A warning is of no use any more once the time is over. */
function tellingsOf({ item, policy, standing }: One): Telling[] {
  const { workspaceId, projectId, itemId } = item;
  const common = { workspaceId, projectId, itemId, policyId: policy.id };
  const { clock, breachedMs, remainingMs = 0 } = standing;
  if (breachedMs !== undefined) return [{ ...common, what: "breached" }];
  if (clock !== "running") return [];
  // Of several that are due at once the nearest says it all.
  const nearest = policy.compiled.warnMs.filter((beforeMs) => remainingMs <= beforeMs).at(-1);
  return nearest === undefined ? [] : [{ ...common, what: `due:${nearest / 1_000}` }];
}

function announce(job: Announcer, { item, policy, standing }: One, what: string): void {
  const { workspaceId, projectId, itemId } = item;
  const { targetMs = 0, dueMs, breachedMs, remainingMs = 0 } = standing;
  const deadline = {
    ...{ workspaceId, projectId, itemId, policyId: policy.id },
    ...{ targetSeconds: targetMs / 1_000, dueAt: isoOf(dueMs) },
  };
  if (what === "breached")
    job.emit("sla.breached", { ...deadline, breachedAt: isoOf(breachedMs) as string });
  else
    job.emit("sla.due", {
      ...deadline,
      remainingSeconds: remainingMs / 1_000,
      warnBeforeSeconds: Number(what.slice("due:".length)),
    });
}

/** The longest that a job may wait; whoever looks then sets the next. */
const MAX_AHEAD_MS = 365 * 86_400_000;

function setTimer(job: Announcer, item: KeptItem, nextCheckMs: number): void {
  const { workspaceId, projectId, itemId } = item;
  const runAt = new Date(Math.min(Math.ceil(nextCheckMs), Date.now() + MAX_AHEAD_MS));
  const hash = createHash("sha256").update(`${projectId}\0${itemId}`).digest("base64url");
  job.later(
    "check",
    { workspaceId, projectId, itemId, at: runAt.toISOString() },
    // Set twice it is one; one that was set for another time looks, and finds nothing.
    { id: `sla:${hash}:${runAt.getTime()}`, runAt },
  );
}
