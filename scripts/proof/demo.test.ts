import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@tl-engine/shared/process/log";
import { openRedis } from "@tl-engine/shared/stores/redis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { CAN_OWN_BROKER } from "../../shared/client/testing/broker.ts";
import { provideServices, type ServiceControl } from "../../shared/services/index.ts";
import { openTestFleet } from "../../shared/testing/fleet.ts";
import { REPOSITORY } from "../repository.ts";
import { generateHistory } from "./demo/generator.ts";

/** The history of a real tracker, where it is there; it is not ours to publish. */
const REAL =
  process.env.TRACKER_HISTORY || join(REPOSITORY, "../shared/data/tracker-history.ndjson.gz");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The services that the demo is given, and the prefix that it must not use. */
const GIVEN = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(DATA|SEED|RIGHTS)$/.test(name)),
  ),
  ENGINE_PREFIX: "engine",
};

/** Starts a demo with a folder of its own; `ended` tells how it ended. */
const startDemo = (...options: string[]) => startDemoOn({}, ...options);

function startDemoOn(services: Record<string, string>, ...options: string[]) {
  const name = randomBytes(4).toString("hex");
  const out = join(folder, name);
  const child = spawn(process.execPath, ["scripts/proof/demo.ts", "--out", out, ...options], {
    cwd: REPOSITORY,
    env: { ...GIVEN, ...services },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      child.emit("output", output);
    });
  const ended = once(child, "close").then(([code]) => ({ code: code as number, output }));
  /** Resolves when it has said so, or has ended. */
  const says = (pattern: RegExp) => {
    const said = Promise.withResolvers<void>();
    child.on("output", (output: string) => pattern.test(output) && said.resolve());
    return Promise.race([said.promise, ended]);
  };
  return { child, out, ended, says };
}

/** What servers still hold under the prefix that a demo said it used, and what it put under the given one. */
async function leftBy(output: string) {
  const prefix = /under (demo-\w+)/.exec(output)?.[1] ?? "";
  expect(prefix).not.toBe("");
  const runId = prefix.slice("demo-".length);
  const looker = await openTestFleet([]);
  const redis = openRedis(looker.config.REDIS_URL, createLog({}, "silent"), {
    enableOfflineQueue: true,
  });
  try {
    const { rows } = await looker.pool.query(
      "select engine, job_id from engine.results where starts_with(worker, $1) or starts_with(job_id, $2)",
      [prefix, `demo.${runId}`],
    );
    const { origin, username, password } = new URL(String(process.env.RABBITMQ_MANAGEMENT_URL));
    const named = async (kind: string) => {
      const headers = { authorization: `Basic ${btoa(`${username}:${password}`)}` };
      const all = await (await fetch(`${origin}/api/${kind}?columns=name`, { headers })).json();
      return (all as { name: string }[])
        .map(({ name }) => name)
        .filter((name) => name.includes(runId) || name.startsWith("engine."));
    };
    return {
      rows,
      queues: await named("queues"),
      exchanges: await named("exchanges"),
      keys: await redis.keys(`${prefix}:*`),
    };
  } finally {
    redis.disconnect();
    await looker.close();
  }
}
const NOTHING = { rows: [], queues: [], exchanges: [], keys: [] };

const lastLine = (output: string) => output.trimEnd().split("\n").at(-1) ?? "";
const GOOD =
  /^demo: jobs=(\d+) results=\1 replies=\1 events=\d+ lost=0 doubled=0 different=0 seconds=[\d.]+$/;

test("a history in a file goes through the fleet, and every proof holds", async () => {
  const file = join(folder, "history.ndjson");
  const issues = generateHistory({ seed: "e2e", months: 4 });
  writeFileSync(file, issues.map((issue) => `${JSON.stringify(issue)}\n`).join(""));
  const { out, ended } = startDemo("--data", file);
  const { code, output } = await ended;
  expect(lastLine(output), output).toMatch(GOOD);
  const jobs = issues.length + issues.flatMap(({ changes }) => changes).length;
  expect(lastLine(output)).toContain(`jobs=${jobs} `);
  expect(code).toBe(0);
  const files = readdirSync(out);
  for (const chart of ["cumulative-flow", "cycle-time", "throughput", "forecast"])
    expect(files).toContain(`all-${chart}.svg`);
  const page = readFileSync(join(out, "index.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).not.toMatch(/(?:src|href)="https?:/);
  expect(await leftBy(output)).toEqual(NOTHING);
}, 120_000);

test.skipIf(!CAN_OWN_BROKER)(
  "with a user for each process, which has its printed rights and no other, every proof holds",
  async () => {
    const { code, output } = await startDemo("--months", "4", "--rights", "1").ended;
    expect(output).toContain("each process under its printed rights");
    expect(lastLine(output), output).toMatch(GOOD);
    expect(code).toBe(0);
  },
  120_000,
);

test.skipIf(!CAN_OWN_BROKER)(
  "a broker that is killed and started again in the middle costs nothing but time",
  async () => {
    const dir = mkdtempSync(join(folder, "broker-"));
    const services = await provideServices({ dir, needs: ["rabbitmq"], sources: ["native"] });
    const broker = services.control("rabbitmq") as ServiceControl;
    onTestFinished(() => services.stop());
    const { ended, says, child } = startDemoOn(services.env(), "--months", "24");
    onTestFinished(() => void child.kill("SIGKILL"));
    await says(/replicas=[1-9]/);
    await broker.kill();
    await broker.start();
    const { code, output } = await ended;
    expect(lastLine(output), output).toMatch(GOOD);
    expect(code).toBe(0);
  },
  180_000,
);

test("an interrupted demo stops its workers and ends with 130", async () => {
  const { child, out, ended, says } = startDemo("--months", "24");
  await says(/replicas=[1-9]/);
  child.kill("SIGINT");
  const { code, output } = await ended;
  expect(output).toContain("demo: interrupted");
  expect(code).toBe(130);
  // Each worker has said that it stopped: none is left, and none was killed.
  const logs = readdirSync(join(out, "logs"));
  expect(logs).not.toEqual([]);
  for (const log of logs) {
    const text = readFileSync(join(out, "logs", log), "utf8");
    if (text.includes('"ready"')) expect(text).toContain('"stopped"');
  }
  expect(await leftBy(output)).toEqual(NOTHING);
}, 60_000);

test.each([
  [["--data", "none.ndjson"], /none\.ndjson: ENOENT/],
  [["--months", "x"], /--months must be a whole number/],
  [["--rights", "yes"], /--rights must be 0 or 1/],
  [["--frob"], /Unknown option '--frob'.*--data, --seed/s],
])("%j ends with 2 and one line", async (options, message) => {
  const { code, output } = await startDemo(...options).ended;
  expect(output).toMatch(message);
  expect(output.trimEnd().split("\n").length).toBe(1);
  expect(code).toBe(2);
});

test.runIf(existsSync(REAL))(
  "the real tracker's history goes through the fleet",
  async () => {
    const { code, output } = await startDemo("--data", REAL).ended;
    expect(lastLine(output), output).toMatch(GOOD);
    expect(code).toBe(0);
  },
  300_000,
);
