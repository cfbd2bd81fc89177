/** One run: the load flows, the rounds of faults come one after another, and in the end the checker judges. */
import { setTimeout as sleep } from "node:timers/promises";
import { randomFrom } from "../../show/random.ts";
import { callerFaults } from "./faults/callers.ts";
import type { Context, Fault, Heal } from "./faults/fault.ts";
import { messageFaults } from "./faults/messages.ts";
import { networkFaults } from "./faults/network.ts";
import { processFaults } from "./faults/processes.ts";
import { serviceFaults } from "./faults/services.ts";
import type { Category, Finding } from "./finding.ts";
import type { Load } from "./load.ts";
import { partOf, type Round, scheduleFaults } from "./schedule.ts";
import type { CrashServices } from "./services.ts";
import { LEASE_MS, openStage, type Stage } from "./stage.ts";
import { restartIfStranded } from "./stranded.ts";

const WORKERS = 3;
/** After a round, or a restart of a broker that had failed itself, all workers are to consume again within this time. */
const RECOVERY_TIMEOUT_MS = 60_000;
/** A fleet that has not come back after this has its broker looked at. */
const BROKER_PATIENCE_MS = 20_000;
const REST_TIMEOUT_MS = 180_000;
/** A stuck job never comes: there is no use in waiting long for rest where a bug is planted. */
const BUG_REST_TIMEOUT_MS = 40_000;
/** A fault that can't be injected or healed in this time is a fault of the crash test's. */
const FAULT_TIMEOUT_MS = 45_000;
const FIRST_JOBS_MS = 3_000;
const FLOW = { everyMs: 150, jobs: 4 };
/** From so many faults on each step must have been hit so often. */
const THOROUGH = { faults: 300, hits: 20 };
const SETTLE_TIMEOUT_MS = 45_000;

export interface RunOptions {
  services: CrashServices;
  faults: number;
  jobs: number;
  seed: number;
  /** Only these kinds of faults; empty for all. */
  only: string[];
  /** Planted bugs. */
  bugs?: string[];
  deliveryLimit?: number;
  /** Plays only a part of a longer plan: `faults` of it, from this one on. */
  part?: { from: number; of: number };
  /** Where the history goes; by default it is named after the seed. */
  folder?: string;
  say(line: string): void;
}

export interface Outcome {
  faults: number;
  kinds: number;
  jobs: number;
  findings: Finding[];
}

export async function runCrashTest(options: RunOptions): Promise<Outcome> {
  const { services, seed, say } = options;
  const all = [
    ...processFaults(LEASE_MS),
    ...networkFaults(),
    ...serviceFaults(),
    ...callerFaults(),
    ...messageFaults(),
  ];
  const kinds = all.filter(
    ({ needs }) =>
      (needs !== "own services" || services.own !== undefined) &&
      (needs !== "management" || services.urls.management !== undefined),
  );
  if (kinds.length < all.length) {
    const left = all.filter((fault) => !kinds.includes(fault)).map(({ kind }) => kind);
    say(`left out, since the services are not the crash test's own: ${left.join(", ")}`);
  }
  const unknown = options.only.filter((kind) => !all.some((fault) => fault.kind === kind));
  if (unknown.length > 0) throw new RangeError(`no such kind of fault: ${unknown.join(", ")}`);
  const chosen =
    options.only.length === 0
      ? kinds.filter(({ weight }) => weight > 0)
      : kinds.filter(({ kind }) => options.only.includes(kind));
  const { from, of } = options.part ?? { from: 0, of: options.faults };
  const rounds = partOf(scheduleFaults(chosen, of, randomFrom(seed)), from, from + options.faults);
  const stage = await openStage({
    ...options,
    workers: WORKERS,
    folder: options.folder ?? `seed-${seed}`,
  });
  try {
    const findings = await play(stage, rounds, options);
    if (chosen.some(({ kind }) => kind === "kill-at-step"))
      findings.push(...judgeSteps(stage, options));
    await Promise.race([endLoad(stage), sleep(SETTLE_TIMEOUT_MS)]);
    say("waiting for rest");
    const judged = await stage.finish(options.bugs ? BUG_REST_TIMEOUT_MS : REST_TIMEOUT_MS);
    const injected = rounds.flat();
    return {
      faults: injected.length,
      kinds: new Set(injected.map(({ kind }) => kind)).size,
      jobs: stage.context.load.jobs(),
      findings: [...findings, ...judged.findings],
    };
  } finally {
    await stage.close();
  }
}

async function play(stage: Stage, rounds: Round[], options: RunOptions): Promise<Finding[]> {
  const { jobs, say, bugs } = options;
  const { context } = stage;
  const findings: Finding[] = [];
  const perRound = Math.ceil(jobs / rounds.length);
  const startedAt = performance.now();
  for (const [index, round] of rounds.entries()) {
    const names = round.map(({ kind }) => kind).join(" + ");
    const before = context.load.jobs();
    const elapsedS = ((performance.now() - startedAt) / 1_000).toFixed(0);
    say(`${elapsedS} s  round ${index + 1}/${rounds.length}: ${names}`);
    // The faults meet jobs that are under way, and others keep coming.
    await Promise.race([context.load.burst(Math.ceil(perRound / 2)), sleep(FIRST_JOBS_MS)]);
    const flow = keepFlowing(context.load);
    const failures = await Promise.all(round.map((fault) => playFault(context, fault, say)));
    flow.stop();
    findings.push(...failures.flat());
    const rest = perRound - (context.load.jobs() - before);
    if (rest > 0) void context.load.burst(rest);
    void context.load.replay();
    const recovered = await recovers(stage, say);
    if (!recovered) {
      const message = `after ${names} not all workers consumed within ${RECOVERY_TIMEOUT_MS} ms`;
      findings.push({ rule: "f", category: "stuck", message });
      say(`  ${message}`);
      // With a planted bug it never will.
      if (bugs?.length === 1) break;
    }
  }
  return findings;
}

/** Publishes a few jobs again and again, so that a fault that lasts meets some in all of its time. */
function keepFlowing(load: Load): { stop(): void } {
  const timer = setInterval(() => void load.burst(FLOW.jobs), FLOW.everyMs);
  return { stop: () => clearInterval(timer) };
}

async function endLoad({ context: { load } }: Stage): Promise<void> {
  await load.settled();
  await load.replay();
}

/** Tells how often each step was hit while a job was in it; a long run must have hit all. */
function judgeSteps(stage: Stage, { faults, say }: RunOptions): Finding[] {
  const hits = [...stage.stepHits()];
  say(`steps hit: ${hits.map(([step, count]) => `${step}=${count}`).join(" ")}`);
  if (faults < THOROUGH.faults) return [];
  return hits
    .filter(([, count]) => count < THOROUGH.hits)
    .map(([step, count]) => ({
      rule: "load",
      category: "no_load",
      message: `${step} was hit ${count} times, ${THOROUGH.hits} are needed`,
    }));
}

/** Injects and heals one fault. A failure to do so is the crash test's own, and must not pass for a good run. */
async function playFault(
  context: Context,
  fault: Fault,
  say: (line: string) => void,
): Promise<Finding[]> {
  const { kind } = fault;
  const notes: string[] = [];
  const findings: Finding[] = [];
  const own: Context = { ...context, note: (detail) => void notes.push(detail) };
  const attempt = async <Value>(what: string, work: () => Promise<Value>) => {
    try {
      return await within(FAULT_TIMEOUT_MS, what, work);
    } catch (error) {
      findings.push({ rule: "run", category: "other", message: `${what} failed: ${error}` });
      return undefined;
    }
  };
  context.history.append({ kind: "fault", fault: kind, phase: "inject", touches: fault.touches });
  const heal: Heal | undefined = await attempt(`injecting ${kind}`, async () => fault.inject(own));
  await sleep(fault.holdMs);
  await attempt(`healing ${kind}`, async () => heal?.());
  const detail = notes.join("; ");
  if (detail) say(`  ${kind}: ${detail}`);
  context.history.append({
    kind: "fault",
    fault: kind,
    phase: "heal",
    touches: fault.touches,
    ...(detail ? { detail } : {}),
  });
  return findings;
}

async function recovers(stage: Stage, say: (line: string) => void): Promise<boolean> {
  if (await consuming(stage, BROKER_PATIENCE_MS)) return true;
  const restarted = await restartIfStranded(stage.context, (detail) => say(`  ${detail}`));
  return consuming(stage, RECOVERY_TIMEOUT_MS - (restarted ? 0 : BROKER_PATIENCE_MS));
}

async function consuming({ supervisor, context }: Stage, withinMs: number): Promise<boolean> {
  const giveUpAt = performance.now() + withinMs;
  try {
    await supervisor.allReady(withinMs);
  } catch {
    return false;
  }
  while (performance.now() < giveUpAt) {
    const consumers = await context.reach.consumers().catch(() => 0);
    if (consumers >= context.slots.length) return true;
    await sleep(200);
  }
  return false;
}

async function within<Value>(
  timeoutMs: number,
  what: string,
  work: () => Promise<Value>,
): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${what} took longer than ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

const COUNTED: Category[] = [
  "lost",
  "double_effects",
  "stuck",
  "quarantined_wrongly",
  "attempts_burned",
  "misdirected",
];

/** Whether a run proves nothing, whatever it found or not. */
export const isRefused = ({ findings }: Pick<Outcome, "findings">) =>
  findings.some(({ category }) => category === "no_load");

/** The last line of a run. */
export function summarize({ faults, kinds, jobs, findings }: Outcome): string {
  const count = (category: Category) =>
    findings.filter((found) => found.category === category).length;
  const counts = COUNTED.map((category) => `${category}=${count(category)}`).join(" ");
  return `crash-test: faults=${faults} kinds=${kinds} jobs=${jobs} ${counts}`;
}
