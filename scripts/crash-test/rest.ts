/** Waits until everything has come to rest, and collects what the services then hold. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller } from "./caller.ts";
import { type EndState, owedJobs } from "./evidence.ts";
import type { History } from "./history.ts";
import type { Reach } from "./reach.ts";

/** Rest must last for so long before it is believed. */
const QUIET_MS = 3_000;
const POLL_MS = 500;

/** Queues where messages may lie: dead letters wait for a person. */
const mayHold = (name: string) => name.endsWith(".dead");

export interface RestOptions {
  reach: Reach;
  caller: Caller;
  history: History;
  prefix: string;
  engine: string;
  workers: number;
  timeoutMs: number;
  /** Puts a job back that an engine without a queue could not take, as an operator would. */
  rescue(): Promise<void>;
}

/** Resolves with undefined at rest, or with what still moved when time was up. */
export async function waitForRest(options: RestOptions): Promise<string | undefined> {
  const { caller, timeoutMs } = options;
  const giveUpAt = performance.now() + timeoutMs;
  let quietSince: number | undefined;
  let seen = -1;
  for (;;) {
    await options.rescue();
    const moving = await whatMoves(options);
    if (moving === undefined && caller.seen() === seen) quietSince ??= performance.now();
    else quietSince = undefined;
    seen = caller.seen();
    if (quietSince !== undefined && performance.now() - quietSince >= QUIET_MS) return undefined;
    if (performance.now() > giveUpAt) return moving ?? "replies or events still arrive";
    await sleep(POLL_MS);
  }
}

async function whatMoves({ reach, history, engine, workers }: RestOptions) {
  const owed = owedJobs(history.entries);
  const rows = await reach.query<{ id: string }>(
    "SELECT job_id AS id FROM engine.results WHERE engine = $1",
    [engine],
  );
  for (const { id } of rows) owed.delete(id);
  if (owed.size > 0) return `${owed.size} jobs have no row, such as ${[...owed].slice(0, 3)}`;
  const full = (await reach.queues()).filter(
    ({ name, ready, unacked }) => !mayHold(name) && ready + unacked > 0,
  );
  if (full.length > 0)
    return full
      .map(({ name, ready, unacked }) => `${name}: ${ready} ready, ${unacked} unacked`)
      .join("; ");
  const consumers = await reach.consumers();
  if (consumers < workers) return `${consumers} of ${workers} workers consume`;
  return undefined;
}

/** Reads the end state. The dead letters are taken out of their queue by it. */
export async function collectEndState(
  { reach, prefix, engine }: RestOptions,
  restless: string | undefined,
): Promise<EndState> {
  const deadLetters: EndState["deadLetters"] = [];
  const queues = await reach.queues();
  const heldClaims = await reach.heldClaims();
  await reach.drainQueue(`${prefix}.${engine}.dead`, ({ properties }) => {
    deadLetters.push({ jobId: String(properties.messageId) });
  });
  return {
    rows: await reach.rows(),
    ledger: await reach.query(`SELECT job_id AS "jobId", attempt, worker FROM crash_test.ledger`),
    deadLetters,
    queues: queues.filter(({ name }) => !mayHold(name)),
    openTransactions: await reach.openTransactions(),
    heldClaims,
    deadlocks: await reach.deadlocks(),
    ...(restless === undefined ? {} : { restless }),
  };
}
