/** What holds for every bill, and which guard bounds which line. */
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readObjects } from "../kubernetes/read/documents.ts";
import { environmentNames } from "../kubernetes/read/environments.ts";
import { readPrices } from "../kubernetes/read/prices.ts";
import { exampleEngine } from "../scaling/simulate/example-engine.ts";
import type { Result } from "../scaling/simulate/result.ts";
import { billOf } from "./bill.ts";
import { type Budget, readBudget } from "./budget.ts";
import type { Environment } from "./environment.ts";
import { describeBill, lastLine } from "./report.ts";
import { awakeHours, HOURS_A_MONTH } from "./usage.ts";

const { prices } = readPrices(Date.parse("2026-11-24"));
const BUDGET = readBudget("dev", prices);
const NO_QUOTA = { pods: Infinity, cpu: Infinity, memoryGib: Infinity };

const environmentOf = (...maxima: number[]) => keeping(24, ...maxima);

/** Its second engine, analytics, keeps rows of its own. */
function keeping(ownRetentionMonths: number, ...maxima: number[]): Environment {
  return {
    name: "dev",
    setup: [],
    quota: NO_QUOTA,
    engines: maxima.map((maxReplicaCount, index) => {
      const name = ["activities", "analytics"][index] as string;
      const own = { ownBytesPerJob: 845, ownRetentionMonths, ownBytesPerJobKept: 124 };
      const simulated = exampleEngine(
        { name, share: 1 / maxima.length, ...(name === "analytics" && own) },
        { maxReplicaCount },
      );
      const { podSize: size } = simulated;
      return {
        simulated,
        group: { name, size, steady: maxReplicaCount, surge: 1, draining: maxReplicaCount },
      };
    }),
  };
}

const bill = (environment: Environment, budget: Budget = BUDGET, jobsPerDay = 100_000) =>
  billOf(environment, budget, prices, { jobsPerDay, days: 1 });
const lineOf = ({ lines }: ReturnType<typeof bill>, words: string) =>
  lines.find(({ what }) => what.startsWith(words)) as (typeof lines)[number];

/** Guards far away, so that what is beneath them shows. */
const open: Budget = {
  ...BUDGET,
  kubernetes: { ...BUDGET.kubernetes, nodes: { ...BUDGET.kubernetes.nodes, max: 10_000 } },
  redis: { plan: "payg", monthlyBudgetUsd: 1e12 },
  postgres: { ...BUDGET.postgres, maxStorageGb: 1e9 },
};
const payg = (monthlyBudgetUsd: number, maxStorageGb = 50): Budget => ({
  ...BUDGET,
  redis: { plan: "payg", monthlyBudgetUsd },
  postgres: { ...BUDGET.postgres, maxStorageGb },
});

describe("for any fleet, load and guards", () => {
  const any = fc.record({
    maximum: fc.integer({ min: 1, max: 40 }),
    other: fc.integer({ min: 1, max: 10 }),
    jobsPerDay: fc.constantFrom(1_000, 1_000_000, 20_000_000),
    budget: fc.constantFrom(BUDGET, open, payg(20), payg(1e6, 5)),
  });

  test("a higher maxReplicaCount never costs less at worst", { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(any, fc.integer({ min: 1, max: 20 }), ({ maximum, other, ...rest }, more) => {
        const [less, most] = [maximum, maximum + more].map((it) =>
          bill(environmentOf(it, other), rest.budget, 1_000),
        );
        for (const [index, line] of less?.lines.entries() ?? [])
          expect(most?.lines[index]?.worstUsd).toBeGreaterThanOrEqual(line.worstUsd - 1e-9);
        expect(most?.unguardedUsd).toBeGreaterThan(less?.unguardedUsd ?? Infinity);
      }),
      { numRuns: 15 },
    );
  });

  test("without guards a higher maxReplicaCount costs more", () => {
    expect(bill(environmentOf(8), open).worstUsd).toBeGreaterThan(
      bill(environmentOf(3), open).worstUsd,
    );
  });

  test("the worst is at least what is expected, what is fixed, and its engines' parts", {
    timeout: 300_000,
  }, () => {
    const fixed =
      (prices.broker.plans[BUDGET.broker.plan]?.usdPerMonth ?? Infinity) +
      Math.max(
        0,
        HOURS_A_MONTH * prices.kubernetes.clusterUsdPerHour - prices.kubernetes.freeTierUsdPerMonth,
      );
    fc.assert(
      fc.property(any, ({ maximum, other, jobsPerDay, budget }) => {
        const it = bill(environmentOf(maximum, other), budget, jobsPerDay);
        for (const { expectedUsd, worstUsd, unguardedUsd } of it.lines) {
          expect(expectedUsd).toBeGreaterThanOrEqual(0);
          expect(worstUsd).toBeGreaterThanOrEqual(expectedUsd);
          expect(unguardedUsd).toBeGreaterThanOrEqual(worstUsd - 1e-9);
          expect(Number.isFinite(unguardedUsd)).toBe(true);
        }
        expect(it.worstUsd).toBeGreaterThanOrEqual(fixed);
        for (const figure of ["expectedUsd", "worstUsd"] as const)
          expect(it.engines.reduce((sum, engine) => sum + engine[figure], 0)).toBeCloseTo(
            it[figure],
            6,
          );
      }),
      { numRuns: 15 },
    );
  });

  test("what is simulated is no more than every replica busy all month", () => {
    const { expected, unguarded } = bill(environmentOf(2, 2), open, 20_000_000).months;
    for (const [index, usage] of expected.engines.entries()) {
      expect(usage.jobs).toBeGreaterThan(0);
      expect(usage.jobs).toBeLessThanOrEqual(unguarded.engines[index]?.jobs ?? 0);
    }
  });
});

describe("the guard that bounds", () => {
  test("nodes: maxReplicaCount, then the quota, then the pool", () => {
    const nodes = (budget: Budget, environment: Environment) =>
      lineOf(bill(environment, budget), "nodes");
    expect(nodes(open, environmentOf(8))).toMatchObject({ guard: "maxReplicaCount" });
    const quota = { ...environmentOf(8), quota: { ...NO_QUOTA, cpu: 2 } };
    expect(nodes(open, quota).guard).toContain("ResourceQuota");
    expect(nodes(open, quota).worstUsd).toBeLessThan(nodes(open, quota).unguardedUsd);
    expect(nodes(BUDGET, environmentOf(8)).guard).toBe("node pool: at most 2");
  });

  test("Redis billed by command: the monthly budget, the plan's own limit, or the fleet", () => {
    const redis = (budget: Budget) => lineOf(bill(environmentOf(8), budget), "redis");
    expect(redis(payg(20))).toMatchObject({ worstUsd: 20, guard: "the database's monthly budget" });
    // 10,000 commands a second for 730 h at $0.20 per 100,000.
    expect(redis(payg(1e9, 1e9))).toMatchObject({ guard: "the plan's commands a second" });
    expect(redis(payg(1e9, 1e9)).worstUsd).toBeCloseTo(52_560, 0);
    const two = lineOf(bill(environmentOf(2), payg(1e9)), "redis");
    expect(two).toMatchObject({ guard: "maxReplicaCount", worstUsd: two.unguardedUsd });
  });

  test("Postgres: no more than the quota, and the compute's maximum all month", () => {
    const it = bill(environmentOf(8));
    expect(lineOf(it, "postgres storage").worstUsd).toBeCloseTo(50 * 0.35, 6);
    expect(lineOf(it, "postgres compute").worstUsd).toBeCloseTo(730 * 0.25 * 0.106, 6);
  });

  test("no engine depends on a service that the bill counts as unused", () => {
    const dependencies = readdirSync("workers").flatMap((name) =>
      Object.keys(JSON.parse(readFileSync(`workers/${name}/package.json`, "utf8")).dependencies),
    );
    expect(dependencies.length).toBeGreaterThan(0);
    expect(dependencies.filter((name) => /posthog|s3|minio|backblaze/.test(name))).toEqual([]);
  });
});

describe("over the budget", () => {
  test("each part against its own, to the cent", () => {
    const it = bill(environmentOf(2));
    expect(it.excesses).toEqual([]);
    expect(lastLine(it)).toMatch(
      /^cost: env=dev expected_usd=[\d.]+ worst_usd=[\d.]+ budget_usd=[\d.]+ quota_full_months=none within=yes$/,
    );
    const [kubernetes] = it.parts;
    const tight = { ...BUDGET, kubernetesUsd: (kubernetes?.worstUsd ?? 0) - 0.01 };
    const over = bill(environmentOf(2), tight);
    expect(over.excesses).toEqual([expect.stringContaining("kubernetes can cost")]);
    expect(lastLine(over)).toContain("within=no");
  });

  test("replicas for which the pool never has room, though the pool bounds the bill", () => {
    expect(bill(environmentOf(12)).excesses).toEqual([]);
    const over = bill(environmentOf(13));
    expect(over.excesses).toEqual([expect.stringContaining("keda/activities.yaml:1:")]);
    expect(over.worstUsd).toBe(bill(environmentOf(12)).worstUsd);
  });
});

test("Kubecost's daily alert is a thirtieth of each environment's budget", () => {
  const file = "manifests/addons/kubecost/values.yaml";
  const values = readObjects(file).objects[0]?.value as {
    global: { notifications: { alertConfigs: { alerts: Record<string, unknown>[] } } };
  };
  const { alerts } = values.global.notifications.alertConfigs;
  for (const name of environmentNames()) {
    const alert = alerts.find(
      ({ type, filter }) => type === "budget" && filter === `tl-engine-${name}`,
    );
    expect(alert?.threshold).toBe(readBudget(name, prices).kubernetesUsd / 30);
  }
});

test("a load that a plan does not carry is warned about", () => {
  const warnings = (budget: Budget) =>
    bill(environmentOf(3), budget, 1_000_000)
      .misfits.map(({ warning }) => warning)
      .join("\n");
  expect(warnings(BUDGET)).toBe("");
  expect(warnings({ ...BUDGET, broker: { plan: "lemur" } })).toContain("1.0 M messages");
  expect(warnings({ ...BUDGET, redis: { plan: "free" } })).toContain("0.5 M commands");
  expect(warnings(payg(20))).toContain("10.0 M commands");
  expect(warnings(payg(20, 5))).toContain("5 GB");
});

describe("rows of an engine's own", () => {
  const misfits = (months: number, jobsPerDay = 1_000_000, maxStorageGb = 50) => {
    const budget = { ...BUDGET, postgres: { ...BUDGET.postgres, maxStorageGb } };
    return bill(keeping(months, 3, 3), budget, jobsPerDay).misfits;
  };

  test("kept for ever or for long, they fill the quota, and what would fit is said", () => {
    expect(misfits(Infinity)).toMatchObject([
      {
        warning: expect.stringMatching(
          /keeps its rows for ever, 12\.\d GB a month; .* 1\.\d months/,
        ),
      },
    ]);
    expect(misfits(Infinity)[0]?.comesTo).toBeUndefined();
    const [found] = misfits(24);
    // 33 GB of results, and 24 × 12.9 GB.
    expect(found).toMatchObject({ comesTo: expect.stringMatching(/^3[34]\d GB$/) });
    expect(found?.warning).toMatch(
      /for 24 months, 12\.\d GB a month, so that 3[34]\d GB are stored/,
    );
    expect(found?.warning).toMatch(/ 1\.\d months, and then the workers pause: raise it$/);
  });

  test("kept for months that fit, with what stays of them for ever, they are no misfit", () => {
    expect(misfits(1, 700_000)).toEqual([]);
    expect(misfits(24, 100_000)).toEqual([]);
    expect(misfits(2, 700_000)[0]?.warning).toMatch(/or keep the rows for 1 month, which fits/);
    // One month of them would fit for ever, did nothing stay of them.
    const [kept] = misfits(1, 1_000_000, 50);
    expect(kept?.fullAfterMonths).toBeGreaterThan(2);
  });
});

test("the headline and the last line say when the first quota is full", () => {
  const [none, rows, messages] = [
    bill(environmentOf(3), BUDGET, 1_000_000),
    bill(environmentOf(3, 3), BUDGET, 1_000_000),
    // The broker's million messages of a month are through on its first day.
    bill(environmentOf(3, 3), { ...BUDGET, broker: { plan: "lemur" } }, 1_000_000),
  ].map((it) => [describeBill(it, 0)[0], lastLine(it)] as const);
  expect(none?.[0]).toMatch(/all month\. No quota is full within a year\.$/);
  expect(none?.[1]).toContain(" quota_full_months=none ");
  expect(rows?.[0]).toMatch(
    /At that load postgres' 50 GB are full after 1\.\d months \(its retention comes to 3[34]\d GB\)\.$/,
  );
  expect(rows?.[1]).toMatch(/ quota_full_months=1\.\d /);
  expect(messages?.[0]).toMatch(/the broker's 1\.0 M messages a month are full on day 1\.$/);
});

test("Postgres is awake while it is used and until it suspends", () => {
  const hours = (donePerS: number[], binS = 600) =>
    awakeHours(
      { durationS: donePerS.length * binS, engines: [{ series: { binS, donePerS } }] } as Result,
      5,
    );
  expect(hours([0, 0, 0])).toBe(0);
  expect(hours([1, 0, 0, 0, 1, 0])).toBeCloseTo(0.5, 9);
  expect(hours([1, 1, 0])).toBeCloseTo(25 / 60, 9);
  expect(hours([0, 0, 1])).toBeCloseTo(15 / 60, 9);
  expect(hours([1, 1])).toBeCloseTo(20 / 60, 9);
});
