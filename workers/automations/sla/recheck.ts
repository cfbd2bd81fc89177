/** Looks at all items of a project whose policies changed, some at a time: each that has a deadline gets its timer. */
import { createHash } from "node:crypto";
import type { Batch, BatchItem } from "@tl-engine/shared";
import type { z } from "zod";
import type { PoliciesInput, RecheckInput, RecheckOutput } from "./schemas.ts";
import { type SlaEmits, settleItems } from "./settle-items.ts";

const AT_ONCE = 200;
const NEXT = `
  select item_id "itemId" from engine_automations.sla_items
  where project_id = $1 and item_id > $2 and deleted_ms = 0 order by item_id limit ${AT_ONCE}`;

type Job = Pick<BatchItem<unknown, SlaEmits>, "id" | "emit" | "later">;

/** The first look, or the next: a job of its own, so that a large project holds up nobody. */
export function lookAgain(job: Job, input: z.input<typeof RecheckInput>): void {
  const { projectId, cause, after = "" } = input;
  const hash = createHash("sha256").update([projectId, cause, after].join("\0"));
  job.later("recheck", input, { id: `slar:${hash.digest("base64url")}`, runAt: new Date() });
}

export function lookAfter(job: Job, { workspaceId, projectId, put }: PoliciesInput): void {
  if (put.length > 0) lookAgain(job, { workspaceId, projectId, cause: job.id });
}

export async function recheck(
  jobs: readonly (Job & { input: RecheckInput })[],
  { tx }: Pick<Batch, "tx">,
): Promise<z.input<typeof RecheckOutput>[]> {
  const outputs: z.input<typeof RecheckOutput>[] = [];
  for (const job of jobs) {
    const { workspaceId, projectId, cause, after } = job.input;
    const { rows } = await tx.query<{ itemId: string }>(NEXT, [projectId, after]);
    const nowMs = Date.now();
    const looks = rows.map(({ itemId }) => ({ job, projectId, itemId, nowMs }));
    const settled = await settleItems(tx, looks);
    const last = rows.length === AT_ONCE ? rows.at(-1)?.itemId : undefined;
    if (last !== undefined) lookAgain(job, { workspaceId, projectId, cause, after: last });
    outputs.push({
      items: rows.length,
      timers: settled.filter(({ nextCheckMs }) => nextCheckMs !== undefined).length,
    });
  }
  return outputs;
}
