/** A load on the image, with a SIGTERM in its middle: what is under way is finished, and the next container does the rest. */
import type { Tried } from "./cold-start.ts";
import { type Container, type Ended, startContainer } from "./container.ts";

export interface LoadResult {
  /** Of the first container, in the middle of the load. */
  drained: Ended;
  /** Of the second one, when all is done. */
  ended: Ended;
  /** Jobs without their row, or without their reply. */
  lost: number;
  failed: number;
  jobsPerSecond: number;
}

/** Part of the replies that must be there before the SIGTERM. */
const BEFORE_SIGTERM = 0.2;

export async function runLoad(tried: Tried, count: number): Promise<LoadResult> {
  const { fleet, name, jobs, image, env, graceMs } = tried;
  const containers: Container[] = [];
  const start = async () => {
    const container = await startContainer(image, env);
    containers.push(container);
    return container;
  };
  try {
    const ids = await Promise.all(
      Array.from({ length: count }, (_, n) => fleet.publish(name, jobs.action, jobs.input(n))),
    );
    const mine = new Set(ids);
    const answered = () =>
      new Set(fleet.replies.map(({ correlationId }) => correlationId).filter((id) => mine.has(id)))
        .size;
    const beganMs = performance.now();
    const first = await start();
    await fleet.until("the first replies", () => answered() >= count * BEFORE_SIGTERM || undefined);
    const drained = await first.stop(graceMs);
    const second = await start();
    await fleet
      .until("all replies", () => answered() === count || undefined, 120_000)
      .catch(() => {});
    const seconds = (performance.now() - beganMs) / 1_000;
    const ended = await second.stop(graceMs);
    return { drained, ended, ...(await countResults(tried, ids)), jobsPerSecond: count / seconds };
  } finally {
    for (const container of containers) await container.remove();
  }
}

async function countResults(
  { fleet }: Tried,
  ids: string[],
): Promise<{ lost: number; failed: number }> {
  const replied = new Set(fleet.replies.map(({ correlationId }) => correlationId));
  let [lost, failed] = [0, 0];
  for (const id of ids) {
    const [row] = await fleet.rows(id);
    if (!row || !replied.has(id)) lost++;
    else if (row.status !== "succeeded") failed++;
  }
  return { lost, failed };
}
