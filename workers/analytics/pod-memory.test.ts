/** A worker in a pod's memory, under the deployment's own settings, ends whatever valid jobs its queue holds. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import {
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "@tl-engine/shared/services/worker-process";
import { openTestFleet, type TestFleet } from "@tl-engine/shared/testing/fleet";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseDocument } from "yaml";
import analytics from "./index.ts";
import { largestIngest } from "./largest-ingest.fixture.ts";
import { CEILINGS } from "./schemas.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const JOBS = 64;
/** So many are all facts, which Postgres needs seconds for; of the others no row comes. */
const ALL_FACTS = 2;
/** So many flows, and as many ingest jobs. */
const MIXED = 3;
/** 30,000 items of ten facts each, with ids as long as Plane's. */
const FILL = `
  insert into engine_analytics.changes
    (project_id, change_id, workspace_id, item_id, at_ms, field, from_value, to_value, from_group, to_group, initial)
  select $1, 'a:' || md5(n::text), $2, md5((n / 10)::text), 1735689600000 + n * 100000::bigint,
    case n % 10 when 0 then 'created' else 'state' end, md5((n % 17)::text), md5(((n + 1) % 17)::text),
    'started', case n % 10 when 9 then 'completed' else 'started' end, n % 10 = 1
  from generate_series(0, ${CEILINGS.changesPerFlow - 1}) n`;
const LOOK_MS = 20;
/** On a busy machine; alone each takes half a minute. */
const WITHIN_MS = 600_000;

const read = (path: string) => readFileSync(`${REPOSITORY}${path}`, "utf8");

/** What the pod gives its process. */
function podSettings() {
  const deployment = parseDocument(read("manifests/base/worker/deployment.yaml"));
  // Of all workers: what differs in this one's says nothing of it.
  expect(read("manifests/base/engines/analytics/kustomization.yaml")).not.toContain("limits");
  const container = ["spec", "template", "spec", "containers", 0];
  const limit = String(deployment.getIn([...container, "resources", "limits", "memory"]));
  const limitBytes = Number(/^(\d+)Mi$/.exec(limit)?.[1]) * 2 ** 20;
  const env = parseEnv(read("manifests/base/worker.env"));
  const command = /^CMD (\[.*"shared\/main\.js".*\])$/m.exec(read("Dockerfile"))?.[1] ?? "[]";
  const flags = (JSON.parse(command) as string[]).filter((word) => word.startsWith("--"));
  expect({ limitBytes, flags, NODE_OPTIONS: env.NODE_OPTIONS }).toEqual({
    limitBytes: expect.any(Number),
    flags: expect.arrayContaining([expect.stringContaining("semi-space")]),
    NODE_OPTIONS: expect.stringContaining("--max-old-space-size"),
  });
  return { limitBytes, env, flags };
}

/** Changes of a field that is of no concern, and items of an unknown beginning. */
const withoutFacts = (text: string) =>
  text.replaceAll('"field":"state"', '"field":"other"').replaceAll('"createdAt"', '"updatedAt"');

/** Kills what takes more than the limit, as the kernel does in a pod. Linux's peak includes what the looks missed. */
function watchMemory(pidOf: () => number | undefined, limitBytes: number) {
  let peakBytes = 0;
  const timer = setInterval(() => {
    const pid = pidOf();
    if (pid === undefined) return;
    const status = statusOf(pid);
    const bytesOf = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0) * 1024;
    peakBytes = Math.max(peakBytes, bytesOf("VmHWM"));
    if (bytesOf("VmRSS") > limitBytes) process.kill(pid, "SIGKILL");
  }, LOOK_MS);
  return () => {
    clearInterval(timer);
    return peakBytes;
  };
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return ""; // It ended.
  }
}

async function openFleet(): Promise<TestFleet> {
  const fleet = await openTestFleet([analytics], [import.meta.dirname]);
  onTestFinished(() => fleet.close());
  return fleet;
}

/** Of a workspace that goes with the fleet. */
const ingestOf = ({ config }: TestFleet) =>
  JSON.stringify(largestIngest(randomUUID(), config.ENGINE_PREFIX));

/** Runs what has been published in one process as in a pod, until all of it has succeeded. */
async function succeedInPod(fleet: TestFleet, jobs: number): Promise<void> {
  const { limitBytes, env, flags } = podSettings();
  const worker = keepRunning({
    start: () =>
      startWorkerProcess({
        args: [...flags, ...workerArgs("workers/analytics/index.ts")],
        cwd: REPOSITORY,
        env: { ...process.env, ...env, ...fleet.env },
        output: "ignore",
      }),
    restartInMs: () => 0,
  });
  onTestFinished(async () => void (await worker.stop(0)));
  const peakBytes = watchMemory(() => worker.current?.pid, limitBytes);
  // A process that was killed has failed already.
  const isKilled = () => worker.starts > 1;
  for (let n = 1; n <= jobs; n++)
    await fleet.until(`reply ${n}`, () => fleet.replies.length >= n || isKilled() || undefined);
  const succeeded = fleet.replies.filter(({ text }) => text.includes('"status":"succeeded"'));
  expect({ starts: worker.starts, succeeded: succeeded.length }).toEqual({
    starts: 1,
    succeeded: jobs,
  });
  expect(await fleet.deadLetters("analytics")).toEqual([]);
  const peak = peakBytes();
  expect(peak).toBeLessThan(limitBytes);
  await worker.stop();
  process.stdout.write(`peak ${(peak / 2 ** 20).toFixed(0)} MiB of ${limitBytes / 2 ** 20} MiB\n`);
}

describe.skipIf(!existsSync("/proc/self/status"))(
  "in a pod's memory, one process ends",
  {
    timeout: WITHIN_MS,
  },
  () => {
    test(`${JOBS} ingest jobs of 6.9 MB at once`, async () => {
      const fleet = await openFleet();
      const light = Buffer.from(withoutFacts(ingestOf(fleet)));
      expect(light.length).toBeGreaterThan(6_800_000);
      for (let n = 0; n < JOBS; n++) {
        const body = n < ALL_FACTS ? Buffer.from(ingestOf(fleet)) : light;
        await fleet.publish("analytics", "ingest", undefined, { body });
      }
      await succeedInPod(fleet, JOBS);
    });

    test("flows of the largest history, with ingest jobs among them", async () => {
      const fleet = await openFleet();
      const projectId = randomUUID();
      await fleet.pool.query(FILL, [projectId, fleet.config.ENGINE_PREFIX]);
      const window = { from: "2016-01-01", to: "2025-12-31" };
      const asOf = "2026-01-01T00:00:00.000Z";
      const flow = { scope: { projectId }, window, asOf, forecast: {}, svg: true };
      const body = Buffer.from(ingestOf(fleet));
      for (let n = 0; n < MIXED; n++) {
        await fleet.publish("analytics", "flow", flow);
        await fleet.publish("analytics", "ingest", undefined, { body });
      }
      await succeedInPod(fleet, 2 * MIXED);
    });
  },
);
