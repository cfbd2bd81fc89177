/** A worker in a pod's memory, under the deployment's own settings, takes whatever valid jobs its queue holds. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import {
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "@tl-engine/shared/services/worker-process";
import { openTestFleet } from "@tl-engine/shared/testing/fleet";
import { expect, onTestFinished, test } from "vitest";
import { parseAllDocuments } from "yaml";
import analytics from "./index.ts";
import { largestIngest } from "./largest-ingest.fixture.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const JOBS = 64;
/** So many are all facts, which Postgres needs seconds for; of the others no row comes. */
const ALL_FACTS = 2;
const LOOK_MS = 20;
/** On a busy machine; alone it takes half a minute. */
const WITHIN_MS = 150_000;

const read = (path: string) => readFileSync(`${REPOSITORY}${path}`, "utf8");

/** What the pod gives its process. */
function podSettings() {
  const [deployment] = parseAllDocuments(read("manifests/base/engines/analytics.yaml"));
  const container = ["spec", "template", "spec", "containers", 0];
  const limit = String(deployment?.getIn([...container, "resources", "limits", "memory"]));
  const limitBytes = Number(/^(\d+)Mi$/.exec(limit)?.[1]) * 2 ** 20;
  const env = parseEnv(read("manifests/base/worker.env"));
  const command = /^CMD (\[.*"shared\/main\.js".*\])$/m.exec(read("Dockerfile"))?.[1] ?? "[]";
  const flags = (JSON.parse(command) as string[]).filter((word) => word.startsWith("--"));
  expect({ limitBytes, NODE_OPTIONS: env.NODE_OPTIONS }).toEqual({
    limitBytes: expect.any(Number),
    NODE_OPTIONS: expect.any(String),
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

test.skipIf(!existsSync("/proc/self/status"))(
  `${JOBS} ingest jobs of 6.9 MB at once all succeed in one process, in a pod's memory`,
  async () => {
    const { limitBytes, env, flags } = podSettings();
    const fleet = await openTestFleet([analytics], [import.meta.dirname]);
    onTestFinished(() => fleet.close());
    const textOf = () => JSON.stringify(largestIngest(randomUUID(), fleet.config.ENGINE_PREFIX));
    const light = Buffer.from(withoutFacts(textOf()));
    expect(light.length).toBeGreaterThan(6_800_000);
    for (let n = 0; n < JOBS; n++) {
      const body = n < ALL_FACTS ? Buffer.from(textOf()) : light;
      await fleet.publish("analytics", "ingest", undefined, { body });
    }
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
    const isOver = () => fleet.replies.length === JOBS || worker.starts > 1 || undefined;
    await fleet.until(`${JOBS} replies`, isOver, WITHIN_MS);
    const succeeded = fleet.replies.filter(({ text }) => text.includes('"status":"succeeded"'));
    expect({ starts: worker.starts, succeeded: succeeded.length }).toEqual({
      starts: 1,
      succeeded: JOBS,
    });
    expect(await fleet.deadLetters("analytics")).toEqual([]);
    const peak = peakBytes();
    expect(peak).toBeLessThan(limitBytes);
    await worker.stop();
    process.stdout.write(
      `peak ${(peak / 2 ** 20).toFixed(0)} MiB of ${limitBytes / 2 ** 20} MiB\n`,
    );
  },
  WITHIN_MS + 60_000,
);
