/** `make test-connections` as a person and a program run it: table, JSON, exit status, and nothing secret or harmful. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { type Answer, runWithKubectl } from "../kubernetes/deploy/testing/fake-kubectl.ts";
import { loadWorkers } from "../workers.ts";

const SCRIPT = fileURLToPath(new URL("./doctor.ts", import.meta.url));
const SHELL = fileURLToPath(new URL("../test-connections.sh", import.meta.url));
const SERVER = '{"serverVersion":{"gitVersion":"v1.31.2"}}';
const CLUSTER: Answer[] = [
  { to: "current-context", stdout: "tl-engine-dev\n" },
  { to: " version ", stdout: SERVER },
  { to: "can-i", stdout: "yes\n" },
  { to: "api-resources", stdout: "scaledobjects.keda.sh\n" },
];

let fleet: TestFleet;

beforeAll(async () => {
  const workers = await loadWorkers();
  fleet = await openTestFleet(
    workers.map(({ definition }) => definition),
    workers.map(({ folder }) => folder),
  );
});
afterAll(() => fleet?.close());

interface Told {
  version: number;
  status: string;
  message?: string;
  counts: Record<string, number>;
  checks: { check: string; level: string; found: string; cause?: string; next?: string }[];
}

function run(args: string[], env: Record<string, string> = {}, answers: Answer[] = CLUSTER) {
  const ran = runWithKubectl([SCRIPT, ...args], answers, { ...fleet.env, ENV: "", ...env });
  const json = () => JSON.parse(ran.stdout) as Told;
  return { ...ran, json };
}

test("a fleet that is fit: 0, and JSON that says so", () => {
  const { status, stderr, json } = run(["--json"]);
  const { version, status: all, counts, checks } = json();
  expect(stderr).toBe("");
  expect(checks.filter(({ level }) => level === "failure")).toEqual([]);
  expect([status, version, all, counts.failure]).toEqual([0, 1, "ok", 0]);
  expect(counts.ok).toBeGreaterThan(15);
  const parts = new Set(checks.map(({ check }) => check.split(".")[0]));
  expect([...parts]).toEqual([
    "postgres",
    "redis",
    "broker",
    "management",
    "s3",
    "otlp",
    "kubernetes",
  ]);
  for (const name of ["s3.reach", "otlp.reach", "kubernetes.reach"])
    expect(checks.find(({ check }) => check === name)?.level).toBe("skipped");
});

test("one that is not: 1, with cause and next command, in plain text for a pipe", async () => {
  const evil = `${fleet.names.prefix}.gone\u001b[2J\u009b31m\u202e`;
  await fleet.channel.assertQueue(evil, { durable: true });
  try {
    const wrong = { REDIS_URL: "redis://user:hunter2-and-more@127.0.0.1:1" };
    const { status, stdout } = run([], wrong);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^redis\.reach +failure +not reached$/m);
    expect(stdout).toMatch(
      /^failure: redis\.reach: not reached\n {2}cause {2}Redis \(REDIS_URL, 127\.0\.0\.1:1\) .*\n {2}next {3}redis-cli -u "\$REDIS_URL" ping$/m,
    );
    expect(stdout).toMatch(
      /\ntest-connections: ok=\d+ warnings=\d+ failures=1 skipped=\d+ seconds=[\d.]+\n$/,
    );
    if (process.env.RABBITMQ_MANAGEMENT_URL)
      expect(stdout).toContain("gone\\u001b[2J\\u009b31m\\u202e");
    const json = run(["--json"], wrong);
    expect(json.json().status).toBe("failure");
    for (const text of [stdout, json.stdout]) {
      expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
      expect(text).not.toContain("hunter2");
    }
  } finally {
    await fleet.channel.deleteQueue(evil);
  }
});

describe("misconfigured: 2, and nothing is asked", () => {
  test.each([
    ["a variable that is missing", [], { AMQP_URL: "" }, /AMQP_URL: is not set/],
    ["one that is wrong", [], { REDIS_URL: "hunter2-and-more" }, /REDIS_URL: must be a URL/],
    ["an environment that is none", [], { ENV: "moon" }, /ENV=moon is no environment/],
    [
      "a flag that is none",
      ["--nope"],
      {},
      /Unknown option '--nope'[\s\S]*Usage: test-connections/,
    ],
  ])("%s", (_, args, env: Record<string, string>, message) => {
    const { status, stdout, stderr } = run(args, env);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    const told = run([...args, "--json"], env);
    expect([told.status, told.stderr]).toEqual([2, ""]);
    expect(told.json()).toMatchObject({ version: 1, status: "misconfigured" });
    expect(told.json().message).toMatch(message);
    expect(stderr + told.stdout).not.toContain("hunter2");
  });
});

describe("the cluster", () => {
  const cluster = (...answers: Answer[]) => {
    const { status, json, asked } = run(["--json"], { ENV: "dev" }, [...answers, ...CLUSTER]);
    const told = (name: string) => {
      const { level, found, cause, next } =
        json().checks.find(({ check }) => check === `kubernetes.${name}`) ?? {};
      return [`${level}: ${found}`, cause, next].filter(Boolean).join("; ");
    };
    return { status, told, asked };
  };

  test("is the one of the overlay, and fit; all of it is asked of that context", () => {
    const { status, told, asked } = cluster();
    expect(told("reach")).toMatch(/^ok: tl-engine-dev, v1\.31\.2, \d+ ms$/);
    expect([told("rights"), told("keda")]).toEqual([
      "ok: may deploy to tl-engine-dev",
      "ok: there",
    ]);
    expect(status).toBe(0);
    const after = asked.filter(({ args }) => !args.includes("current-context"));
    for (const { args } of after) expect(args).toMatch(/^--context=tl-engine-dev /);
  });

  test.each([
    [
      "another context",
      { to: "current-context", stdout: "production" },
      "reach",
      /^failure: the context production is not for dev; .*target\.yaml allows tl-engine-dev, .*; kubectl config use-context tl-engine-dev$/,
    ],
    ["no context", { to: "current-context", status: 1 }, "reach", /^failure: no context; /],
    [
      "one that is not reached",
      { to: " version ", status: 1, stderr: "Unable to connect\n" },
      "reach",
      /^failure: not reached; Unable to connect; /,
    ],
    [
      "no rights",
      { to: "can-i create deployments", stdout: "no", status: 1 },
      "rights",
      /^failure: may not create deployments\.apps; .*; kubectl auth can-i --list -n tl-engine-dev$/,
    ],
    [
      "no KEDA",
      { to: "api-resources", stdout: "" },
      "keda",
      /^failure: not there; .*; helm install keda /,
    ],
  ])("%s", (_, answer, name, message) => {
    const { status, told } = cluster(answer);
    expect(told(name)).toMatch(message);
    expect(status).toBe(1);
  });
});

test("the script of the shell ends with the doctor's own status", () => {
  const { status, stderr } = spawnSync("sh", [SHELL, "--nope"], { encoding: "utf8" });
  expect(stderr).toContain("Unknown option '--nope'");
  expect(status).toBe(2);
});
