import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateHistory } from "./demo/generator.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
/** The history of a real tracker, where it is there; it is not ours to publish. */
const REAL =
  process.env.TRACKER_HISTORY || join(REPOSITORY, "../shared/data/tracker-history.ndjson.gz");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "demo-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a demo with queues and a folder of its own; `ended` tells how it ended. */
function startDemo(...options: string[]) {
  const name = randomBytes(4).toString("hex");
  const out = join(folder, name);
  const { DATA: _, SEED: __, ...env } = process.env;
  const child = spawn(process.execPath, ["scripts/demo.ts", "--out", out, ...options], {
    cwd: REPOSITORY,
    env: { ...env, ENGINE_PREFIX: `demo-${name}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      child.emit("output", output);
    });
  const ended = once(child, "close").then(([code]) => ({ code: code as number, output }));
  return { child, out, ended };
}

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
}, 120_000);

test("an interrupted demo stops its workers and ends with 130", async () => {
  const { child, out, ended } = startDemo("--months", "24");
  const workersRun = new Promise<void>((resolve) => {
    child.on("output", (output: string) => {
      if (/replicas=[1-9]/.test(output)) resolve();
    });
  });
  await Promise.race([workersRun, ended]);
  child.kill("SIGINT");
  const { code, output } = await ended;
  expect(output).toContain("demo: interrupted");
  expect(code).toBe(130);
  // Each worker has said that it stopped: none is left, and none was killed.
  for (const log of readdirSync(join(out, "logs"))) {
    const text = readFileSync(join(out, "logs", log), "utf8");
    if (text.includes('"ready"')) expect(text).toContain('"stopped"');
  }
}, 60_000);

test.each([
  [["--data", "none.ndjson"], /none\.ndjson: ENOENT/],
  [["--months", "x"], /--months must be a whole number/],
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
