/** Says whether jobs flow, and what is missing where they don't. */
import type { Consumer } from "./broker/consume.ts";
import type { Publisher } from "./broker/publish.ts";
import type { Drain } from "./drain.ts";

export interface Flow {
  drain: Pick<Drain, "draining" | "stuckFor">;
  /** Undefined until they are open. */
  consumer: Pick<Consumer, "ready"> | undefined;
  publisher: Pick<Publisher, "ready"> | undefined;
  databaseDown: boolean;
  /** How long deliveries may be held while none ends. */
  patienceMs: number;
}

/** Undefined when jobs flow. */
export function whatIsMissing(flow: Flow): string | undefined {
  const { drain, consumer, publisher, databaseDown, patienceMs } = flow;
  if (drain.draining) return "draining";
  if (consumer?.ready() !== true) return "no consumer on the queue";
  if (publisher?.ready() !== true) return "no publishing connection";
  if (databaseDown) return "postgres can't be used";
  return drain.stuckFor(patienceMs);
}
