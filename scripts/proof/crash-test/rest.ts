/** Waits until everything has come to rest, and collects what the services then hold. */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunNote } from "./engine/journal.ts";
import { type EndState, owedJobs } from "./evidence.ts";
import type { History } from "./history.ts";
import type { Reach } from "./reach.ts";

/** Rest must last for so long before it is believed. */
const QUIET_MS = 3_000;
const POLL_MS = 500;
/** The management API's counts are some seconds old. */
const HOPELESS_MS = 15_000;

export interface RestOptions {
  reach: Reach;
  /** Replies, events and dead letters that came so far. */
  seen(): number;
  /** Where the workers note their runs. */
  runLog: string;
  history: History;
  engine: string;
  workers: number;
  timeoutMs: number;
  /** Puts a job back that an engine without a queue could not take, as an operator would. */
  rescue(): Promise<void>;
}

/** Resolves with undefined at rest, or with what still moved when time was up. */
export async function waitForRest(options: RestOptions): Promise<string | undefined> {
  const { timeoutMs } = options;
  const giveUpAt = performance.now() + timeoutMs;
  let lostSince: number | undefined;
  let quietSince: number | undefined;
  let seen = -1;
  for (;;) {
    await options.rescue();
    const moving = await whatMoves(options);
    if (moving === undefined && options.seen() === seen) quietSince ??= performance.now();
    else quietSince = undefined;
    seen = options.seen();
    if (quietSince !== undefined && performance.now() - quietSince >= QUIET_MS) return undefined;
    // With all queues empty a job that has no row will never have one.
    if (moving === undefined || !moving.isHopeless) lostSince = undefined;
    else lostSince ??= performance.now();
    if (lostSince !== undefined && performance.now() - lostSince > HOPELESS_MS) return moving?.what;
    if (performance.now() > giveUpAt) return moving?.what ?? "replies or events still arrive";
    await sleep(POLL_MS);
  }
}

interface Moving {
  what: string;
  isHopeless: boolean;
}

async function whatMoves(options: RestOptions): Promise<Moving | undefined> {
  const { reach, history, engine, workers } = options;
  const owed = owedJobs(history.entries);
  const rows = await reach.query<{ id: string }>(
    "SELECT job_id AS id FROM engine.results WHERE engine = $1",
    [engine],
  );
  for (const { id } of rows) owed.delete(id);
  const full = (await reach.queues()).filter(({ ready, unacked }) => ready + unacked > 0);
  const lost =
    owed.size === 0 ? "" : `${owed.size} jobs have no row, such as ${[...owed].slice(0, 3)}`;
  if (full.length > 0) {
    const queues = full.map(
      ({ name, ready, unacked }) => `${name}: ${ready} ready, ${unacked} unacked`,
    );
    return { what: [...(lost ? [lost] : []), ...queues].join("; "), isHopeless: false };
  }
  const consumers = await reach.consumers();
  if (consumers < workers)
    return { what: `${consumers} of ${workers} workers consume`, isHopeless: false };
  return lost ? { what: lost, isHopeless: true } : undefined;
}

/** Reads the end state. */
export async function collectEndState(
  { reach, runLog }: RestOptions,
  restless: string | undefined,
): Promise<EndState> {
  const queues = await reach.queues();
  const heldClaims = await reach.heldClaims();
  return {
    rows: await reach.rows(),
    ledger: await reach.query(`SELECT job_id AS "jobId", attempt, worker FROM crash_test.ledger`),
    runs: readRuns(runLog),
    queues,
    openTransactions: await reach.openTransactions(),
    heldClaims,
    deadlocks: await reach.deadlocks(),
    ...(restless === undefined ? {} : { restless }),
  };
}

function readRuns(path: string): RunNote[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as RunNote);
}
