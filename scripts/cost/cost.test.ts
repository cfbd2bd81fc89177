/** `make cost` as CI runs it: a bill within its budget, one that passes it, and input that is refused. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { environmentNames } from "../kubernetes/read/environments.ts";
import { REPOSITORY } from "../repository.ts";

const TIMEOUT_MS = 120_000;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cost-"));
  for (const name of ["keda", "manifests"])
    cpSync(join(REPOSITORY, name), join(folder, name), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (file: string) => readFileSync(join(folder, file), "utf8");
const edit = (file: string, found: RegExp, instead: string) => {
  const edited = read(file).replace(found, instead);
  expect(edited).not.toBe(read(file));
  writeFileSync(join(folder, file), edited);
};
const lineOf = (file: string, words: string) =>
  read(file)
    .split("\n")
    .findIndex((line) => line.includes(words)) + 1;

function cost(args: string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(REPOSITORY, "scripts/cost/cost.ts"), ...args, folder],
    { encoding: "utf8", env: { ...process.env, ENV: "", JSON: "", JOBS_PER_DAY: "", ...env } },
  );
  return { status, stdout, stderr, last: stdout.trimEnd().split("\n").at(-1) };
}

test("dev and staging are within their budgets", { timeout: TIMEOUT_MS }, () => {
  const { status, stdout } = cost(["--check"]);
  expect(stdout.trimEnd().split("\n")).toEqual(
    environmentNames().map((name) =>
      expect.stringMatching(new RegExp(`^cost: env=${name} .* within=yes$`)),
    ),
  );
  expect(status).toBe(0);
});

test("activities rests at one replica in staging and at none in dev, and each bill has its own", {
  timeout: TIMEOUT_MS,
}, () => {
  const hours = (ENV: string, JOBS_PER_DAY: string, engine = "activities") => {
    const { months } = JSON.parse(cost([], { JOBS_PER_DAY, JSON: "1", ENV }).stdout);
    const engines = months.expected.engines as { name: string; cpuHours: number }[];
    return engines.find(({ name }) => name === engine)?.cpuHours ?? Number.NaN;
  };
  // So is the scheduler, in both.
  expect(hours("dev", "1000", "scheduler")).toBeGreaterThan(0.99 * 730 * 0.25);
  // All of 730 h at 250m, but for the start of the first pod.
  expect(hours("staging", "1000")).toBeGreaterThan(0.99 * 730 * 0.25);
  expect(hours("dev", "1000")).toBeLessThan(0.9 * 730 * 0.25);
});

test("a maxReplicaCount past the budget fails, and says where it stands", {
  timeout: TIMEOUT_MS,
}, () => {
  edit("keda/activities.yaml", /maxReplicaCount: \d+$/m, "maxReplicaCount: 40");
  const { status, stdout, last } = cost(["--check"]);
  expect(status).toBe(1);
  const line = lineOf("keda/activities.yaml", "  maxReplicaCount: 40");
  expect(stdout).toContain(`over budget: keda/activities.yaml:${line}: activities may have 40`);
  expect(last).toContain("within=no");
});

test("a worst case over budget.yaml fails", { timeout: TIMEOUT_MS }, () => {
  edit("manifests/overlays/dev/budget.yaml", /^servicesUsd: .*$/m, "servicesUsd: 20");
  const { status, stdout, last } = cost([]);
  expect(status).toBe(1);
  expect(stdout).toContain("over budget: services can cost");
  expect(last).toMatch(/^cost: env=dev .* within=no$/);
});

test("fewer jobs are expected to cost less, and cost the same at worst", {
  timeout: TIMEOUT_MS,
}, () => {
  const bills = ["1000", "1000000"].map((JOBS_PER_DAY) =>
    JSON.parse(cost([], { JOBS_PER_DAY, JSON: "1", ENV: "staging" }).stdout),
  );
  expect(bills[0].expectedUsd).toBeLessThan(bills[1].expectedUsd);
  expect(bills[0].worstUsd).toBe(bills[1].worstUsd);
  expect(bills[0].environment).toBe("staging");
});

test("bad input ends with status 2, its file and its line", { timeout: TIMEOUT_MS }, () => {
  expect(cost([], { ENV: "prod" })).toMatchObject({
    status: 2,
    stderr: "ENV=prod is no environment; there are dev, staging\n",
  });
  expect(cost([], { JOBS_PER_DAY: "many" }).status).toBe(2);
  edit("manifests/overlays/dev/budget.yaml", /plan: fixed-250mb/, "plan: payg");
  const plan = lineOf("manifests/overlays/dev/budget.yaml", "plan: payg");
  const unlimited = cost([]);
  expect(unlimited.status).toBe(2);
  expect(unlimited.stderr).toContain(`manifests/overlays/dev/budget.yaml:${plan}: plan: `);
  edit("manifests/prices.yaml", /^staleAfterDays: .*$/m, "staleAfterDays: soon");
  const stale = lineOf("manifests/prices.yaml", "staleAfterDays: soon");
  const prices = cost([]);
  expect(prices.status).toBe(2);
  expect(prices.stderr).toContain(`manifests/prices.yaml:${stale}: shape: staleAfterDays`);
});
