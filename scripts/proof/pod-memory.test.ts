/** A worker in a pod's memory, under the deployment's own settings, takes whatever valid jobs its queue holds. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  keepRunning,
  startWorkerProcess,
  workerArgs,
} from "@tl-engine/shared/services/worker-process";
import { openTestFleet } from "@tl-engine/shared/testing/fleet";
import { expect, onTestFinished, test } from "vitest";
import analytics from "../../workers/analytics/index.ts";
import { largestIngest } from "../../workers/analytics/largest-ingest.fixture.ts";
import { environmentObjects } from "../kubernetes/read/environments.ts";
import { podNeeds } from "../kubernetes/read/workload.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const ENGINE = `${REPOSITORY}workers/analytics`;
const JOBS = 64;
/** So many are all facts, which Postgres needs seconds for; of the others no row comes. */
const ALL_FACTS = 2;
const LOOK_MS = 20;
/** On a busy machine; alone it takes half a minute. */
const WITHIN_MS = 150_000;

/** What the pod gives its process. */
function podSettings() {
  const objects = environmentObjects("dev");
  const [deployment, config] = [
    objects.find(({ kind, name }) => kind === "Deployment" && name === "analytics"),
    objects.find(({ kind, name }) => kind === "ConfigMap" && name.startsWith("tl-engine-config")),
  ];
  if (!deployment || !config)
    throw new Error("manifests/ has no analytics, or no tl-engine-config");
  const { data } = config.value as { data: Record<string, string> };
  const command = /^CMD (\[.*"shared\/main\.js".*\])$/m.exec(
    readFileSync(`${REPOSITORY}Dockerfile`, "utf8"),
  );
  const flags = (JSON.parse(command?.[1] ?? "[]") as string[]).filter((word) =>
    word.startsWith("--"),
  );
  return { limitBytes: podNeeds(deployment, "limits", "memory"), data, flags };
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
    const { limitBytes, data, flags } = podSettings();
    const fleet = await openTestFleet([analytics], [ENGINE]);
    onTestFinished(() => fleet.close());
    const textOf = () => JSON.stringify(largestIngest(randomUUID(), fleet.config.ENGINE_PREFIX));
    const light = Buffer.from(withoutFacts(textOf()));
    expect(light.length).toBeGreaterThan(6_800_000);
    for (let n = 0; n < JOBS; n++) {
      const body = n < ALL_FACTS ? Buffer.from(textOf()) : light;
      await fleet.publish("analytics", "ingest", undefined, { body });
    }
    const { NODE_OPTIONS } = data;
    const worker = keepRunning({
      start: () =>
        startWorkerProcess({
          args: [...flags, ...workerArgs(`${ENGINE}/index.ts`)],
          cwd: REPOSITORY,
          env: { ...process.env, ...fleet.env, NODE_OPTIONS },
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
