/**
 * From the start of the process to the reply to the job that waits in the queue: the same bundle in its
 * image and outside of it, in turn. The time in which Docker or Kubernetes prepares a container is not in it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { TestFleet } from "../../../shared/testing/fleet.ts";
import { REPOSITORY } from "../../repository.ts";
import { median } from "../../show/statistics.ts";
import { bundleWorkers, NODE_FLAGS } from "../bundle.ts";
import { startContainer } from "./container.ts";
import type { TriedJobs } from "./sample-jobs.ts";

const BUNDLES = `${REPOSITORY}out/try-image`;

export interface ColdStart {
  insideMs: number;
  outsideMs: number;
}

export interface Tried {
  name: string;
  image: string;
  fleet: TestFleet;
  env: Record<string, string>;
  jobs: TriedJobs;
  graceMs: number;
}

export async function measureColdStart(tried: Tried, starts: number): Promise<ColdStart> {
  await bundleWorkers(REPOSITORY, [`workers/${tried.name}/index.ts`], BUNDLES);
  const times = { inside: [] as number[], outside: [] as number[] };
  // The first start of each reads its files from the disk and, outside, fills the cache; it is not counted.
  for (let n = 0; n <= starts; n++) {
    const [inside, outside] = [await startInside(tried, n), await startOutside(tried, n)];
    if (n === 0) continue;
    times.inside.push(inside);
    times.outside.push(outside);
  }
  return { insideMs: median(times.inside), outsideMs: median(times.outside) };
}

/** Resolves when the reply to this job is there, to a millisecond or two. */
async function replied({ fleet }: Tried, id: string): Promise<number> {
  const giveUpMs = Date.now() + 60_000;
  while (!fleet.replies.some(({ correlationId }) => correlationId === id)) {
    if (Date.now() > giveUpMs) throw new Error(`no reply to ${id} within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return Date.now();
}

/**
 * Has Node say when it began, by its own word inside and outside alike. The process table would not do:
 * a container's process is as old as the namespaces and mounts that are made around it.
 */
const TELLS_ITS_START = "--import=data:text/javascript,console.log(performance.timeOrigin)";

/** Epoch ms, from what the process wrote. */
function startedAtMs(log: string): number {
  const line = log.split("\n").find((it) => /^\d+(\.\d+)?$/.test(it));
  if (line === undefined) throw new Error(`the worker did not say when it began:\n${log}`);
  return Number(line);
}

async function startInside(tried: Tried, n: number): Promise<number> {
  const { fleet, name, jobs, image, env, graceMs } = tried;
  const id = await fleet.publish(name, jobs.action, jobs.input(n));
  const container = await startContainer(image, { ...env, NODE_OPTIONS: TELLS_ITS_START });
  try {
    const repliedAtMs = await replied(tried, id);
    const { log } = await container.stop(graceMs);
    return repliedAtMs - startedAtMs(log);
  } finally {
    await container.remove();
  }
}

async function startOutside(tried: Tried, n: number): Promise<number> {
  const { fleet, name, jobs, env } = tried;
  const id = await fleet.publish(name, jobs.action, jobs.input(n));
  const script = [...NODE_FLAGS, "shared/main.js", `workers/${name}/index.js`];
  const child = spawn(process.execPath, script, {
    cwd: BUNDLES,
    env: { ...process.env, NODE_ENV: "production", ...env, NODE_OPTIONS: TELLS_ITS_START },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const exited = once(child, "exit");
  const log = text(child.stdout);
  try {
    const repliedAtMs = await replied(tried, id);
    child.kill("SIGTERM");
    return repliedAtMs - startedAtMs(await log);
  } finally {
    child.kill("SIGTERM");
    await exited;
  }
}
