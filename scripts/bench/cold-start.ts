/**
 * From the start of the process to the first job done, the engine as its image starts it beside a bare
 * Node, in turn.
 *
 * The end is the moment at which the harness receives the reply: the last thing that can be seen from
 * outside before the ack, and the same for both. The job waits in the queue, as it does when KEDA
 * starts the first pod.
 */

import { median } from "../show/statistics.ts";
import { BARE_QUEUE, engineCommand, NOOP, peerCommand } from "./contestants.ts";
import { declareQueue, type Harness } from "./harness.ts";
import { noopJob } from "./lanes.ts";
import { ID_PREFIX } from "./load.ts";
import { openCaller } from "./replies.ts";
import { startProcess } from "./worker-process.ts";

export interface ColdStartResult {
  bareMs: number;
  engineMs: number;
  ratio: number;
}

export async function measureColdStart(harness: Harness, starts: number): Promise<ColdStartResult> {
  const { channel, names, urls, folder } = harness;
  await declareQueue(channel, BARE_QUEUE);
  const sides = {
    bare: {
      exchange: "",
      routingKey: BARE_QUEUE,
      queue: BARE_QUEUE,
      command: peerCommand("bare", urls.AMQP_URL, BARE_QUEUE, urls.DATABASE_URL, urls.REDIS_URL),
    },
    engine: {
      exchange: names.jobs,
      routingKey: "noop",
      queue: names.queue("noop"),
      command: engineCommand(harness, "tl-engine-cold", NOOP),
    },
  };
  const caller = await openCaller(harness);
  const times = { bare: [] as number[], engine: [] as number[] };
  const run = `${ID_PREFIX}${Date.now().toString(36)}-cold`;
  try {
    // The first start of each reads its files from the disk; it is not counted.
    for (let n = 0; n <= starts; n++) {
      for (const side of ["bare", "engine"] as const) {
        const { exchange, routingKey, queue, command } = sides[side];
        await channel.purgeQueue(queue);
        const reply = caller.call(exchange, routingKey, `${run}-${side}-${n}`, noopJob(n));
        await channel.waitForConfirms();
        const startMs = performance.now();
        const worker = startProcess(command, folder);
        try {
          const endMs = await reply;
          if (n > 0) times[side].push(endMs - startMs);
        } finally {
          await worker.stop();
        }
      }
    }
  } finally {
    await caller.close();
  }
  const [bareMs, engineMs] = [median(times.bare), median(times.engine)];
  return { bareMs, engineMs, ratio: engineMs / bareMs };
}
