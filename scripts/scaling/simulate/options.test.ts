/** What can't be simulated is refused with what can. */
import { describe, expect, test } from "vitest";
import { cpus, gibibytes } from "../../kubernetes/read/quantity.ts";
import { BadInput } from "./bad-input.ts";
import { exampleEngine } from "./example-engine.ts";
import { HOUR_SHARES, LOAD_NAMES, loadOf } from "./loads.ts";
import { readOptions } from "./options.ts";
import { DEFAULT_PRICES } from "./result.ts";

const ENGINES = [
  exampleEngine({ share: 0.5 }),
  exampleEngine({ name: "analytics", share: 0.5, targetWaitS: 10 }),
];
const read = (env: NodeJS.ProcessEnv) => readOptions(env, ENGINES, DEFAULT_PRICES);

test("everything has a default, and an empty variable is none", () => {
  const { engines, load, seed, suggest, json } = read({ ENGINE: "", LOAD: "", SEED: "", JOBS: "" });
  expect([engines.length, load.name, seed, suggest, json]).toEqual([2, "1m", "1", false, false]);
});

test("one engine gets all of the load, and a stated target holds for all", () => {
  const { engines } = read({ ENGINE: "analytics", TARGET_WAIT_S: "2.5" });
  expect(engines.map(({ name, share, targetWaitS }) => [name, share, targetWaitS])).toEqual([
    ["analytics", 1, 2.5],
  ]);
});

test.each([
  [{ ENGINE: "mail" }, 'ENGINE: "mail" is no engine; there are activities, analytics'],
  [{ LOAD: "1g" }, 'LOAD: "1g" is no load; there are 1m, 10m, 100m, burst, outage, slow, or'],
  [{ LOAD: "no.csv" }, "LOAD: no.csv can't be read"],
  [{ JOBS: "many" }, 'JOBS must be a whole number above 0, not "many"'],
  [{ DAYS: "0" }, 'DAYS must be a whole number above 0, not "0"'],
  [{ DAYS: "99" }, "DAYS: 31 are the most"],
  [{ TARGET_WAIT_S: "-1" }, "TARGET_WAIT_S must be a number above 0"],
  [{ POD_START_S: "x" }, "POD_START_S must be a number from 0"],
  [{ NODE_START_S: "1.5" }, "NODE_START_S must be a whole number from 0"],
])("%j is refused", (env, message) => {
  expect(() => read(env)).toThrow(BadInput);
  expect(() => read(env)).toThrow(message);
});

describe("loads", () => {
  const engine = exampleEngine();
  const totalOf = (load: ReturnType<typeof loadOf>, fromS = 0, toS = load.durationS) => {
    let jobs = 0;
    for (let atS = fromS; atS < toS; atS++) jobs += load.rate(engine, atS);
    return jobs;
  };

  test("a day has the jobs that it is called by, most of them in office hours", () => {
    expect(totalOf(loadOf("1m"))).toBeCloseTo(1e6, -2);
    expect(totalOf(loadOf("100m"))).toBeCloseTo(100e6, -4);
    expect(totalOf(loadOf("10m", { jobs: 5_000 }))).toBeCloseTo(5_000, 0);
    expect(Math.max(...HOUR_SHARES)).toBeGreaterThan(2 * Math.min(...HOUR_SHARES));
  });

  test("a week has seven mean days, Tuesday the most and Saturday the fewest", () => {
    const week = loadOf("1m", { days: 7 });
    const days = [0, 1, 2, 3, 4, 5, 6].map((day) =>
      totalOf(week, day * 86_400, (day + 1) * 86_400),
    );
    expect(days.reduce((sum, jobs) => sum + jobs, 0)).toBeCloseTo(7e6, -4);
    expect([days.indexOf(Math.max(...days)), days.indexOf(Math.min(...days))]).toEqual([1, 5]);
  });

  test.each(LOAD_NAMES)("%s has a title, and asks nothing negative", (name) => {
    const load = loadOf(name);
    expect(load.title).toMatch(/ jobs/);
    expect(totalOf(load)).toBeGreaterThan(0);
  });
});

test("quantities are read as Kubernetes reads them", () => {
  expect([cpus("250m"), cpus("0.5"), cpus(2), cpus("a"), cpus(undefined)]).toEqual([
    0.25,
    0.5,
    2,
    undefined,
    undefined,
  ]);
  expect([gibibytes("256Mi"), gibibytes("1Gi"), gibibytes("1G"), gibibytes("x")]).toEqual([
    0.25,
    1,
    1e9 / 2 ** 30,
    undefined,
  ]);
});
