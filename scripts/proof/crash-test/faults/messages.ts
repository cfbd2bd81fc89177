/** Faults that come as messages: too heavy, too many, not to be decoded, and with the runtime's own headers from a stranger. */
import type { Asked } from "../answers.ts";
import type { Oddity } from "../history.ts";
import type { Load } from "../load.ts";
import type { Context, Fault } from "./fault.ts";

/** Longer than what an earlier fault can have left in a worker's hands, and far shorter than a starved job waits. */
const PROMPT_MS = 10_000;
/** Behind the heavy ones there is no lane of one's own. */
const BEHIND_HEAVY_MS = 20_000;
const CALM = { tries: 6, probes: 30, withinMs: 2_000 };
const ENDED_WITHIN_MS = 25_000;

const many = <Value>(count: number, one: (index: number) => Promise<Value>) =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)));

/** Until all workers answer at once: what an earlier fault left must not count as this one's. */
async function calm(load: Load): Promise<void> {
  for (let tries = 0; tries < CALM.tries; tries++) {
    const probes = await many(CALM.probes, () => load.single({ action: "plain" }));
    if (await load.answered(probes, CALM.withinMs)) return;
  }
}

const prompt = (load: Load, withinMs = PROMPT_MS) =>
  load.single({ action: "plain", job: { withinMs, isBulk: false } });

/** Waits for what must end before another fault comes, and says so where it did not. */
async function ended({ load, note }: Context, asked: readonly Asked[]): Promise<void> {
  if (!(await load.answered(asked, ENDED_WITHIN_MS))) note("not all was answered in time");
}

/** 45 MB, of which each worker may hold 8; the small ones come when all hands are full. */
const heavy: Fault = {
  kind: "heavy",
  touches: [],
  isAlone: true,
  weight: 3,
  holdMs: 0,
  async inject(context) {
    const { load } = context;
    await calm(load);
    const large = await many(15, () =>
      load.single({ action: "heavy", input: { durationMs: 300, padBytes: 3_000_000 } }),
    );
    const small = await many(24, () => prompt(load, BEHIND_HEAVY_MS));
    await ended(context, [...large, ...small]);
    return undefined;
  },
};

/** More than half a minute of one worker's bulk lane; whoever waits for all of it waits far too long. */
const FLOOD = { jobs: 600, durationMs: 2_000 };

const bulkFlood: Fault = {
  kind: "bulk-flood",
  touches: [],
  isAlone: true,
  weight: 2,
  holdMs: 0,
  async inject(context) {
    const { load } = context;
    await calm(load);
    const flood = await many(FLOOD.jobs, () =>
      load.single({
        action: "slow",
        input: { durationMs: FLOOD.durationMs },
        job: { isBulk: true },
      }),
    );
    const interactive = await many(24, () => prompt(load));
    await ended(context, [...interactive, ...flood]);
    return undefined;
  },
};

const ODDITIES: Oddity[] = [
  "nested",
  "correlation-id",
  "content-type",
  "reply-to",
  "type",
  "message-id",
];

const undecodable: Fault = {
  kind: "undecodable",
  touches: [],
  isAlone: true,
  weight: 5,
  holdMs: 300,
  async inject(context) {
    const { load, oddCaller: caller } = context;
    await calm(load);
    const [odd, neighbours] = await Promise.all([
      many(4 * ODDITIES.length, (index) => {
        const oddity = ODDITIES[index % ODDITIES.length] as Oddity;
        // A caller's own bytes are nobody's business: that job is as good as any.
        const isRefused = oddity !== "correlation-id";
        const sending = { oddity, ...(isRefused && { isRefused }) };
        return load.single({ action: "plain", caller, job: { withinMs: PROMPT_MS }, sending });
      }),
      many(24, () => prompt(load)),
      load.burst(20),
    ]);
    await load.answered([...odd, ...neighbours], PROMPT_MS);
    return undefined;
  },
};

/** What a publisher could make of a job by saying what only the runtime says. */
const FORGERIES: Record<string, unknown>[] = [
  { "x-attempt": 3 },
  { "x-crashes": 3 },
  { "x-crashes": 900, "x-returns": 900 },
  { "x-replay": 1 },
  { "x-publisher": "guest" },
  { "x-held": "crash interactive 0 1 0 0" },
  { "x-cancelled": 1 },
  // amqplib makes it the table's prototype.
  JSON.parse('{"__proto__": {"x-crashes": 3}}'),
];

const forgedHeaders: Fault = {
  kind: "forged-headers",
  needs: "own services",
  touches: [],
  isAlone: true,
  weight: 5,
  holdMs: 300,
  async inject(context) {
    const { load, forger: caller } = context;
    await calm(load);
    const by = { action: "ledger", caller, job: { withinMs: PROMPT_MS } } as const;
    const [forged, honest] = await Promise.all([
      many(3 * FORGERIES.length, (index) => {
        const headers = FORGERIES[index % FORGERIES.length] as Record<string, unknown>;
        return load.single({ ...by, sending: { headers, isRefused: true } });
      }),
      many(12, () => load.single(by)),
      load.burst(20),
    ]);
    await load.answered([...forged, ...honest], PROMPT_MS);
    return undefined;
  },
};

export const messageFaults = (): Fault[] => [heavy, bulkFlood, undecodable, forgedHeaders];
