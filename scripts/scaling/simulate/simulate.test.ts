/** The simulation keeps every job, agrees with one event per job, and shows what it is meant to show. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { randomFrom } from "../../show/random.ts";
import { nearestRank } from "../../show/statistics.ts";
import { simulateEachJob } from "./event-per-job.ts";
import { exampleEngine } from "./example-engine.ts";
import { LOAD_NAMES, type Load, loadOf } from "./loads.ts";
import { describe as describeResult, lastLine } from "./report.ts";
import type { EngineResult } from "./result.ts";
import { simulate } from "./simulate.ts";

const one = (load: Load, engine = exampleEngine(), seed = "1") =>
  simulate({ engines: [engine], load, seed }).engines[0] as EngineResult;

const steady = (perS: number, durationS = 3_600): Load => ({
  name: "steady",
  title: "steady",
  durationS,
  clockS: 0,
  rate: () => perS,
});

/** Poisson arrivals at ten minutes' rates, one by one. */
function arrivals(rates: readonly number[], seed: string): number[] {
  const draw = randomFrom(seed);
  const comesAtS: number[] = [];
  for (const [index, rate] of rates.entries()) {
    let atS = 600 * index;
    for (;;) {
      atS -= Math.log(1 - draw.next()) / rate;
      if (atS >= 600 * (index + 1)) break;
      comesAtS.push(atS);
    }
  }
  return comesAtS;
}

const SEEDS = ["a", "b", "c", "d", "e", "f", "g", "h"];

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of the mean of so few runs. */
const standardError = (values: readonly number[]) => {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)) / (values.length - 1));
};

/** The means differ by the given leeway at most, beside what chance makes of so few runs. */
function expectAgreement(
  told: readonly number[],
  truth: readonly number[],
  leeway: (truth: number) => number,
): void {
  const chance = 4 * Math.hypot(standardError(told), standardError(truth));
  expect(Math.abs(mean(told) - mean(truth))).toBeLessThanOrEqual(leeway(mean(truth)) + chance);
}

describe("beside one event per job", () => {
  const scenario = fc.record({
    concurrency: fc.constantFrom(1, 2, 8, 64),
    serviceS: fc.constantFrom(0.04, 0.3, 2, 10),
    pods: fc.integer({ min: 1, max: 6 }),
    targetS: fc.integer({ min: 20, max: 80 }),
    minReplicaCount: fc.integer({ min: 0, max: 1 }),
    levels: fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
  });

  /**
   * Both draw their own jobs and phases, so the means of eight runs are compared: waits agree within a
   * time step and 5 %, pod-hours within 3 %, beside four standard errors.
   */
  test("waits, pod-hours and replicas agree", { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(scenario, ({ concurrency, serviceS, pods, targetS, minReplicaCount, levels }) => {
        const jobsPerSecond = concurrency / serviceS;
        const perS = Math.min(8, 0.6 * jobsPerSecond * pods);
        const rates = levels.map((level) => perS * level);
        const value = Math.max(1, Math.round(jobsPerSecond * targetS));
        const engine = exampleEngine(
          {
            concurrency,
            jobsPerSecond,
            timeoutMs: 30_000,
            drainS: 32,
            lightJobS: serviceS,
            podSize: { cpu: 0.01, memoryGib: 0.01 },
          },
          { minReplicaCount, value },
        );
        const durationS = 600 * rates.length;
        const load = {
          ...steady(0, durationS),
          rate: (_: unknown, atS: number) => rates[Math.floor(atS / 600)] as number,
        };
        const truths = SEEDS.map((seed) =>
          simulateEachJob(engine, arrivals(rates, seed), durationS, 5, seed),
        );
        const results = SEEDS.map((seed) => one(load, engine, seed));
        for (const it of [...truths, ...results])
          expect(it.done + it.waiting + it.running).toBe("arrived" in it ? it.arrived : it.jobs);
        const waitsAt = (percent: number) =>
          truths.map(({ waitsS }) => nearestRank(waitsS, percent) ?? 0);
        for (const [percent, name] of [
          [50, "p50S"],
          [95, "p95S"],
          [99, "p99S"],
        ] as const)
          expectAgreement(
            results.map(({ wait }) => wait[name]),
            waitsAt(percent),
            (truth) => 1 + 0.05 * truth,
          );
        expectAgreement(
          results.map(({ podHours }) => podHours),
          truths.map(({ podHours }) => podHours),
          (truth) => 0.01 + 0.03 * truth,
        );
      }),
      // A fixed seed: about one comparison in a thousand differs by chance.
      { numRuns: 16, seed: 7 },
    );
  });
});

describe("what holds for any load", () => {
  test.each(LOAD_NAMES)("%s: nobody is lost, and the last line says so", (name) => {
    const engines = [
      exampleEngine({ share: 0.5 }),
      exampleEngine({ name: "analytics", share: 0.5, jobsPerSecond: 1_200, timeoutMs: 30_000 }),
    ];
    const result = simulate({ engines, load: loadOf(name) });
    for (const { jobs, done, waiting, running, wait, late } of result.engines) {
      expect(done + waiting + running).toBe(jobs);
      expect(jobs).toBeGreaterThan(10_000);
      expect(wait.p50S <= wait.p95S && wait.p95S <= wait.p99S && wait.p99S <= wait.maxS).toBe(true);
      expect(late).toBeLessThanOrEqual(jobs);
    }
    expect(describeResult(result).join("\n")).toContain("analytics");
    expect(lastLine(result, 1)).toMatch(
      /^simulate: jobs=\d+ done=\d+ late=\d+ p50_s=[\d.]+ p95_s=[\d.]+ p99_s=[\d.]+ max_replicas=\d+ pod_hours=[\d.]+ cost_usd=[\d.]+ seconds=1.00$/,
    );
  });

  test("the same seed gives the same result, another one another", () => {
    const run = (seed: string) => JSON.stringify(one(loadOf("burst"), exampleEngine(), seed));
    expect(run("x")).toBe(run("x"));
    expect(run("x")).not.toBe(run("y"));
  });

  test("a day of 100 M jobs takes less than 3 s", () => {
    const startedAt = performance.now();
    const result = one(loadOf("100m"));
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    expect(Math.abs(result.jobs - 100e6)).toBeLessThan(100_000);
  });

  test("a busy pod does what was measured, and no more", () => {
    const engine = exampleEngine({}, { minReplicaCount: 1, maxReplicaCount: 1 });
    const { done, running } = one(steady(5_000), engine);
    expect(done / 3_600).toBeGreaterThan(1_580);
    expect(done / 3_600).toBeLessThan(1_620);
    expect(running).toBe(64);
  });
});

describe("what it is there to show", () => {
  test("an idle fleet sleeps, is woken by the next poll, and sleeps again after the cooldown", () => {
    const load = { ...steady(0), rate: (_: unknown, atS: number) => (atS === 1_000 ? 500 : 0) };
    const { maxReplicas, podHours, wait, podsStarted, series } = one(load);
    expect([maxReplicas, podsStarted]).toEqual([1, 1]);
    expect(wait.maxS).toBeGreaterThan(5);
    expect(wait.maxS).toBeLessThan(45);
    expect(podHours * 3_600).toBeGreaterThan(290);
    expect(podHours * 3_600).toBeLessThan(380);
    expect([series.ready[0], series.ready.at(-1)]).toEqual([0, 0]);
  });

  test("ten minutes without a broker: replicas stay, publishers hold, running jobs come again", () => {
    const engine = exampleEngine({}, { minReplicaCount: 0 });
    const { wait, late, jobsGivenBack, series, jobs, done, running } = one(
      loadOf("outage"),
      engine,
    );
    expect(wait.maxS).toBeGreaterThan(599);
    expect(late).toBeGreaterThan(0.8 * 540 * (jobs / 7_200));
    expect(jobsGivenBack).toBeGreaterThan(0);
    expect(jobs).toBe(done + running);
    const during = series.ready.slice(125, 139);
    expect(new Set(during)).toEqual(new Set([1]));
  });

  test("jobs that become slow pile up below a target value that was made for quick ones", () => {
    const quick = one(loadOf("slow"), exampleEngine({}, { value: 16_000 }));
    const apt = one(loadOf("slow"), exampleEngine({}, { value: 128 }));
    expect(quick.maxReplicas).toBeLessThanOrEqual(2);
    expect(quick.wait.p95S).toBeGreaterThan(60);
    expect(apt.maxReplicas).toBeGreaterThan(2);
    expect(apt.wait.p95S).toBeLessThan(quick.wait.p95S / 3);
  });

  /** Twenty minutes of long jobs, then none: the fleet scales in under the last ones. */
  const longJobs = { ...steady(0), rate: (_: unknown, atS: number) => (atS < 1_200 ? 4 : 0.4) };
  const slowEngine = (drainS: number) =>
    exampleEngine(
      { concurrency: 4, jobsPerSecond: 0.2, timeoutMs: 60_000, drainS },
      { value: 10, maxReplicaCount: 40 },
    );

  test("a drain that is long enough kills nobody, one that is too short hands jobs back", () => {
    const [gentle, harsh] = [one(longJobs, slowEngine(62)), one(longJobs, slowEngine(5))];
    expect(gentle.podsStoppedBusy).toBeGreaterThan(0);
    expect([gentle.podsKilled, gentle.jobsGivenBack]).toEqual([0, 0]);
    expect(harsh.podsKilled).toBeGreaterThan(0);
    expect(harsh.jobsGivenBack).toBeGreaterThanOrEqual(harsh.podsKilled);
    expect(harsh.done + harsh.waiting + harsh.running).toBe(harsh.jobs);
  });

  test("pods that don't fit wait for a node, and nodes that are not needed go", () => {
    const run = (nodeStartS: number) =>
      simulate({ engines: [slowEngine(62)], load: longJobs, cluster: { nodeStartS } });
    const [soon, late] = [run(0), run(600)];
    expect(soon.maxNodes).toBeGreaterThan(3);
    expect(late.wait.p95S).toBeGreaterThan(soon.wait.p95S + 60);
    expect(soon.nodeHours).toBeLessThan(soon.maxNodes);
    expect(
      simulate({ engines: [slowEngine(62)], load: longJobs, cluster: { maxNodes: 2 } }).maxPods,
    ).toBe(12);
  });
});
