/** The HPA: one test for each numbered rule, and properties that hold for any load. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Behavior, ScalingRules } from "../keda/scaled-object.ts";
import { fillBehavior, type GivenBehavior } from "./behavior.ts";
import { createHpa, type HpaMetric } from "./hpa.ts";

const S = 1_000;
const usage = (value: number, target = 10): HpaMetric[] => [{ usage: value, target }];
const hpaOf = (given?: GivenBehavior, minReplicas = 1, maxReplicas = 100) =>
  createHpa({ minReplicas, maxReplicas, ...(given && { behavior: fillBehavior(given) }) });
const FREE_UP = { policies: [{ type: "Percent", value: 10_000, periodSeconds: 15 }] } as const;
const up = (rules: Partial<NonNullable<GivenBehavior["scaleUp"]>>) =>
  ({ scaleUp: rules, scaleDown: { stabilizationWindowSeconds: 0 } }) satisfies GivenBehavior;
const down = (rules: Partial<NonNullable<GivenBehavior["scaleDown"]>>) =>
  ({ scaleDown: { stabilizationWindowSeconds: 0, ...rules } }) satisfies GivenBehavior;

test("it is off at 0 replicas", () => {
  expect(hpaOf().sync(0, 0, usage(1_000))).toBe(0);
  expect(hpaOf({}).sync(0, 0, usage(1_000))).toBe(0);
});

describe("1. bounds come first, without metrics", () => {
  test("above max becomes max", () => {
    expect(hpaOf(undefined, 1, 5).sync(0, 9, [{ error: "gone" }])).toBe(5);
  });
  test("below min becomes min", () => {
    expect(hpaOf(undefined, 3, 5).sync(0, 1, [{ error: "gone" }])).toBe(3);
  });
});

describe("2. average value", () => {
  test.each([
    [90, 10],
    [110, 10],
    [89.9, 9],
    [110.1, 12],
    [0, 1],
  ])("usage %f of 10 × 10 wants %i", (value, wanted) => {
    expect(hpaOf(down({})).sync(0, 10, usage(value))).toBe(wanted);
  });
  test("the largest of several triggers wins", () => {
    expect(hpaOf().sync(0, 4, [...usage(10), ...usage(70), ...usage(30)])).toBe(7);
  });
  test("an error and a smaller proposal: no change", () => {
    expect(hpaOf(down({})).sync(0, 4, [{ error: "gone" }, ...usage(10)])).toBe(4);
    expect(hpaOf(down({})).sync(0, 4, [{ error: "gone" }])).toBe(4);
  });
  test("an error and a larger proposal: up", () => {
    expect(hpaOf().sync(0, 4, [{ error: "gone" }, ...usage(60)])).toBe(6);
  });
});

describe("3. no behavior", () => {
  test("the maximum of the last 300 s holds", () => {
    const hpa = hpaOf();
    expect(hpa.sync(0, 4, usage(80))).toBe(8);
    expect(hpa.sync(300 * S, 8, usage(10))).toBe(8);
    expect(hpa.sync(301 * S, 8, usage(10))).toBe(1);
  });
  test("at once at most twice as many, or 4", () => {
    expect(hpaOf().sync(0, 1, usage(1_000))).toBe(4);
    expect(hpaOf().sync(0, 5, usage(1_000))).toBe(10);
    expect(hpaOf(undefined, 1, 7).sync(0, 5, usage(1_000))).toBe(7);
  });
});

describe("4. stabilisation with behavior", () => {
  test("up: the minimum of the up window", () => {
    const hpa = hpaOf(
      up({ ...FREE_UP, policies: [...FREE_UP.policies], stabilizationWindowSeconds: 60 }),
    );
    expect(hpa.sync(0, 2, usage(100))).toBe(2);
    expect(hpa.sync(30 * S, 2, usage(50))).toBe(2);
    expect(hpa.sync(60 * S, 2, usage(100))).toBe(5);
    expect(hpa.sync(90 * S, 5, usage(100))).toBe(10);
  });
  test("down: the maximum of the down window", () => {
    const hpa = hpaOf({ scaleDown: { stabilizationWindowSeconds: 60 } });
    expect(hpa.sync(0, 10, usage(100))).toBe(10);
    expect(hpa.sync(30 * S, 10, usage(50))).toBe(10);
    expect(hpa.sync(60 * S, 10, usage(10))).toBe(5);
    expect(hpa.sync(90 * S, 5, usage(10))).toBe(1);
  });
  test("the unstabilised value is remembered, not what came of it", () => {
    const hpa = hpaOf({ scaleDown: { stabilizationWindowSeconds: 60 } });
    hpa.sync(0, 10, usage(100));
    hpa.sync(15 * S, 10, usage(20));
    expect(hpa.sync(61 * S, 10, usage(20))).toBe(2);
  });
  test("history is seeded with the current replicas", () => {
    expect(hpaOf({}).sync(0, 10, usage(10))).toBe(10);
    const fromZero = hpaOf(up({ stabilizationWindowSeconds: 60 }));
    fromZero.sync(0, 0, []);
    expect(fromZero.sync(15 * S, 1, usage(30))).toBe(1);
    expect(fromZero.sync(76 * S, 1, usage(30))).toBe(3);
  });
});

describe("5. rate policies", () => {
  const pods = (value: number, periodSeconds = 60) =>
    ({ type: "Pods", value, periodSeconds }) as const;
  const percent = (value: number, periodSeconds = 60) =>
    ({ type: "Percent", value, periodSeconds }) as const;

  test("up by pods, within the period", () => {
    const hpa = hpaOf(up({ policies: [pods(2)] }));
    expect(hpa.sync(0, 3, usage(500))).toBe(5);
    expect(hpa.sync(15 * S, 5, usage(500))).toBe(5);
    expect(hpa.sync(60 * S, 5, usage(500))).toBe(7);
  });
  test("up by percent, rounded up", () => {
    expect(hpaOf(up({ policies: [percent(50)] })).sync(0, 3, usage(500))).toBe(5);
  });
  test("down by pods, within the period", () => {
    const hpa = hpaOf(down({ policies: [pods(2)] }));
    expect(hpa.sync(0, 9, usage(10))).toBe(7);
    expect(hpa.sync(15 * S, 7, usage(10))).toBe(7);
    expect(hpa.sync(60 * S, 7, usage(10))).toBe(5);
  });
  test("down by percent, cut off", () => {
    expect(hpaOf(down({ policies: [percent(50)] })).sync(0, 9, usage(10))).toBe(4);
  });
  test("selectPolicy: Max is the biggest change, Min the smallest, Disabled none", () => {
    const policies = [pods(1), percent(50)];
    expect(hpaOf(up({ policies })).sync(0, 10, usage(500))).toBe(15);
    expect(hpaOf(up({ policies, selectPolicy: "Min" })).sync(0, 10, usage(500))).toBe(11);
    expect(hpaOf(up({ policies, selectPolicy: "Disabled" })).sync(0, 10, usage(500))).toBe(10);
    expect(hpaOf(down({ policies })).sync(0, 10, usage(10))).toBe(5);
    expect(hpaOf(down({ policies, selectPolicy: "Min" })).sync(0, 10, usage(10))).toBe(9);
    expect(hpaOf(down({ policies, selectPolicy: "Disabled" })).sync(0, 10, usage(10))).toBe(10);
  });
  test("the period's start counts the HPA's own changes of both directions, not KEDA's", () => {
    const hpa = hpaOf({ ...up({ policies: [pods(2)] }) });
    expect(hpa.sync(0, 3, usage(500))).toBe(5);
    // KEDA took it to 0 and back to 1: the start is 1 − 2 added, and nothing more may be added.
    expect(hpa.sync(15 * S, 1, usage(500))).toBe(1);
    const both = hpaOf({ scaleUp: { policies: [pods(2)] }, ...down({ policies: [pods(4)] }) });
    expect(both.sync(0, 8, usage(10))).toBe(4);
    expect(both.sync(15 * S, 4, usage(500))).toBe(10);
  });
  test("a limit never reverses the direction", () => {
    const hpa = hpaOf({ scaleUp: { policies: [pods(1)] }, ...down({ policies: [pods(1, 1)] }) });
    expect(hpa.sync(0, 4, usage(500))).toBe(5);
    expect(hpa.sync(1, 9, usage(500))).toBe(9);
  });
  test("then the bounds", () => {
    expect(hpaOf(up({ policies: [pods(50)] }), 1, 12).sync(0, 10, usage(500))).toBe(12);
    expect(hpaOf(down({ policies: [pods(50)] }), 3).sync(0, 10, usage(0))).toBe(3);
  });
});

describe("6. defaults of a given behavior", () => {
  test("up: no window, the larger of 4 pods and 100 % in 15 s", () => {
    expect(hpaOf({}).sync(0, 2, usage(500))).toBe(6);
    expect(hpaOf({}).sync(0, 20, usage(5_000))).toBe(40);
  });
  test("down: 300 s, then all at once", () => {
    const hpa = hpaOf({});
    expect(hpa.sync(0, 20, usage(10))).toBe(20);
    expect(hpa.sync(299 * S, 20, usage(10))).toBe(20);
    expect(hpa.sync(300 * S, 20, usage(10))).toBe(1);
  });
  test("given policies replace the whole list, and other parts are filled", () => {
    const policies = [{ type: "Pods", value: 1, periodSeconds: 15 } as const];
    expect(fillBehavior({ scaleUp: { policies } }).scaleUp).toEqual({
      stabilizationWindowSeconds: 0,
      selectPolicy: "Max",
      policies,
    });
    expect(hpaOf({ scaleUp: { policies } }).sync(0, 2, usage(500))).toBe(3);
  });
});

const rules: fc.Arbitrary<ScalingRules> = fc.record({
  stabilizationWindowSeconds: fc.constantFrom(0, 60, 300),
  selectPolicy: fc.constantFrom("Max", "Min", "Disabled"),
  policies: fc.array(
    fc.record({
      type: fc.constantFrom("Pods", "Percent"),
      value: fc.integer({ min: 1, max: 120 }),
      periodSeconds: fc.integer({ min: 15, max: 600 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

interface World {
  behavior: Behavior | undefined;
  min: number;
  /** Maximum above the minimum. */
  span: number;
  loads: number[];
}

const world: fc.Arbitrary<World> = fc.record({
  behavior: fc.option(fc.record({ scaleUp: rules, scaleDown: rules }), { nil: undefined }),
  min: fc.integer({ min: 1, max: 5 }),
  span: fc.integer({ min: 0, max: 40 }),
  loads: fc.array(fc.integer({ min: 0, max: 800 }), { minLength: 1, maxLength: 60 }),
});

/** Replicas before and after each round, from the minimum on. */
function run({ behavior, min, span, loads }: World) {
  const hpa = createHpa({
    minReplicas: min,
    maxReplicas: min + span,
    ...(behavior && { behavior }),
  });
  let replicas = min;
  return loads.map((load, round) => {
    const before = replicas;
    replicas = hpa.sync(round * 15 * S, before, usage(load));
    return { before, after: replicas, load };
  });
}

test("never outside of min and max, never against the direction of what it remembers", () => {
  fc.assert(
    fc.property(world, (it) => {
      const seen = [it.min];
      for (const { before, after, load } of run(it)) {
        expect(after).toBeGreaterThanOrEqual(it.min);
        expect(after).toBeLessThanOrEqual(it.min + it.span);
        seen.push(Math.ceil(load / 10));
        // It goes up only if something ever asked for more, down only if something asked for less.
        if (after > before) expect(Math.max(...seen)).toBeGreaterThan(before);
        if (after < before) expect(Math.min(...seen)).toBeLessThan(before);
      }
    }),
  );
});

test("a lone Pods policy is never exceeded in any period that ends with a change", () => {
  const lone = fc.record({
    value: fc.integer({ min: 1, max: 9 }),
    periodSeconds: fc.integer({ min: 15, max: 300 }),
  });
  fc.assert(
    fc.property(lone, lone, world, (add, remove, it) => {
      const one = (of: typeof add) => ({
        stabilizationWindowSeconds: 0,
        selectPolicy: "Max" as const,
        policies: [{ type: "Pods" as const, ...of }],
      });
      const rounds = run({ ...it, behavior: { scaleUp: one(add), scaleDown: one(remove) } });
      for (const [index, { before, after }] of rounds.entries()) {
        const { periodSeconds, value } = after > before ? add : remove;
        // The period's start, which is what it is measured from: changes after it, up and down, count.
        const first = Math.max(0, index - Math.ceil(periodSeconds / 15) + 1);
        const start = rounds[first]?.before ?? before;
        if (after > before) expect(after - start).toBeLessThanOrEqual(value);
        if (after < before) expect(start - after).toBeLessThanOrEqual(value);
      }
    }),
  );
});

test("10⁵ rounds take well under a second", () => {
  const hpa = hpaOf({});
  const startedAt = performance.now();
  let replicas = 1;
  for (let round = 0; round < 100_000; round++)
    replicas = hpa.sync(round * 15 * S, replicas, usage(500 + 400 * Math.sin(round / 50)));
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("a change is forgotten by its own direction's longest period, not by the other's", () => {
  const hpa = hpaOf({
    scaleDown: {
      stabilizationWindowSeconds: 0,
      policies: [{ type: "Pods", value: 1, periodSeconds: 120 }],
    },
  });
  let replicas = 1;
  const seen = [10, 20, 40, 80, 80, 0, 0, 0].map((queue, round) => {
    replicas = hpa.sync(round * 15 * S, replicas, usage(queue));
    return replicas;
  });
  expect(seen).toEqual([1, 2, 4, 8, 8, 3, 3, 3]);
});

test("usage and target are thousandths, and never below 0", () => {
  expect(hpaOf().sync(0, 4, usage(2.1, 0.3))).toBe(7);
  expect(hpaOf(down({})).sync(0, 4, usage(-1))).toBe(1);
});

test("a tolerance of its own for each direction", () => {
  const exact = { ...down({ tolerance: 0 }), scaleUp: { tolerance: 0.5 } };
  expect(hpaOf(exact).sync(0, 10, usage(98))).toBe(10);
  expect(hpaOf(exact).sync(0, 10, usage(90))).toBe(9);
  expect(hpaOf(exact).sync(0, 10, usage(149))).toBe(10);
  expect(hpaOf(exact).sync(0, 10, usage(151))).toBe(16);
});
