/** `make fleet` whole: from zero, more than one replica, a killed worker, and back to zero, with nothing lost. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../../shared/testing/fleet.ts";
import { type OwnDatabase, useOwnDatabase } from "../../shared/testing/own-database.ts";
import activities from "../../workers/activities/index.ts";
import { REPOSITORY } from "../repository.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fleet-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function startFleet(env: Record<string, string>, ...options: string[]) {
  const child = spawn(
    process.execPath,
    ["scripts/scaling/fleet.ts", "--logs", join(folder, "logs"), ...options],
    { cwd: REPOSITORY, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      child.emit("output");
    });
  const ended = once(child, "close").then(([code]) => ({ code: code as number, output }));
  /** Resolves with the match, or fails with all of the output when it ended without. */
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output);
      if (match) return match;
      const event = await Promise.race([once(child, "output"), ended]);
      if (!Array.isArray(event) && !pattern.test(output))
        throw new Error(`ended without ${pattern}:\n${output}`);
    }
  };
  return { child, ended, says };
}

/** The repository's ScaledObjects, with a target that a test's load exceeds. */
function kedaWith(value: number): string {
  const keda = mkdtempSync(join(folder, "keda-"));
  cpSync(join(REPOSITORY, "keda"), keda, { recursive: true });
  const file = join(keda, "activities.yaml");
  const text = readFileSync(file, "utf8");
  const changed = text
    .replace(/^ {8}value: "\d+"/m, `        value: "${value}"`)
    .replace(/cooldownPeriod: \d+/, "cooldownPeriod: 200");
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
  return keda;
}

/** For workers whose rows are removed with the queues. */
const named = ({ env: { ENGINE_PREFIX = "", WORKER_ID = "" } }: TestFleet) => ({
  ENGINE_PREFIX,
  WORKER_ID,
});

// The fleet's scheduler takes up all that its tables hold.
let database: OwnDatabase;
beforeAll(async () => {
  database = await useOwnDatabase();
});
afterAll(() => database?.drop());

const JOBS = 3_000;

test("killing a worker process loses nothing, and all ends by itself at zero, but for what is always on", async () => {
  const queues = await openTestFleet([activities], [join(REPOSITORY, "workers/activities")]);
  try {
    const job = (id: number) => ({
      type: "issue.activity.updated",
      workspace_id: "acme",
      project_id: "web",
      issue_id: `WEB-${id}`,
      actor_id: "ana",
      epoch: 1_700_000_000,
      requested: { priority: "high" },
      current: { priority: "low" },
    });
    const ids = await Promise.all(
      Array.from({ length: JOBS }, (_, index) =>
        queues.publish("activities", "record", job(index)),
      ),
    );
    const fleet = startFleet(
      named(queues),
      ...["--keda", kedaWith(500), "--max-replicas", "2", "--time-scale", "25", "--until-zero"],
    );
    const [, pid] = await fleet.says(/activities-1 starts \(pid (\d+)\)/);
    await fleet.says(/activities: [01] → 2 replicas\. HPA: metrics want/);
    await queues.until("a reply", () => (queues.replies.length > 0 ? true : undefined));
    process.kill(Number(pid), "SIGKILL");
    await fleet.says(/activities-1 ended by SIGKILL, starts again at once/);
    const { code, output } = await fleet.ended;
    expect(output).toMatch(/activities: \d → 0 replicas\. KEDA: inactive, the cooldown is over/);
    expect(output).toMatch(/scheduler-1 starts/);
    expect(output).not.toMatch(/scheduler: \d → 0 replicas/);
    expect(output.trimEnd().split("\n").at(-1)).toMatch(
      /^fleet: engines=6 asked=\d+ unanswered=0 pods=\d+ crashed=1 killed=0 peak_replicas=2 seconds=[\d.]+$/,
    );
    expect(code).toBe(0);
    const answered = new Set(queues.replies.map(({ correlationId }) => correlationId));
    expect(ids.filter((id) => !answered.has(id))).toEqual([]);
  } finally {
    await queues.close();
  }
}, 180_000);

test("SIGINT drains what runs", async () => {
  const queues = await openTestFleet([activities]);
  try {
    await queues.publish("activities", "record", {});
    const fleet = startFleet(named(queues), "--time-scale", "25");
    const [, pid] = await fleet.says(/activities-1 starts \(pid (\d+)\)/);
    await queues.until("the reply", () => (queues.replies.length > 0 ? true : undefined));
    fleet.child.kill("SIGINT");
    const { code, output } = await fleet.ended;
    expect(output).toContain("activities-1 is drained");
    expect(code).toBe(0);
    expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
  } finally {
    await queues.close();
  }
}, 120_000);

test.each([
  [["--time-scale", "0"], /--time-scale must be a number from 0\.1/],
  [["--max-replicas", "1.5"], /--max-replicas must be a whole number from 1/],
  [["--keda", "nowhere"], /nowhere: no such folder/],
  [["--frob"], /Unknown option '--frob'/],
])("%j ends with 2 and one line", async (options, message) => {
  const { code, output } = await startFleet({}, ...options).ended;
  expect(output).toMatch(message);
  expect(output.trimEnd().split("\n").length).toBe(1);
  expect(code).toBe(2);
});

test("a broker without its management API is refused with what to set", async () => {
  const { code, output } = await startFleet({
    RABBITMQ_MANAGEMENT_URL: "",
    AMQP_URL: process.env.AMQP_URL ?? "",
  }).ended;
  expect(output).toContain("RABBITMQ_MANAGEMENT_URL is missing");
  expect(code).toBe(2);
});
