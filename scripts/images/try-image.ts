/**
 * `make try-image NAME=activities`: runs the image of an engine on real services, as Kubernetes would,
 * and says whether it starts quickly, works, loses nothing, and drains at SIGTERM.
 */
import "../show/closed-pipe.ts";
import { drainDeadlineMs } from "../../shared/engine/deadlines.ts";
import { provideServices } from "../../shared/services/index.ts";
import { openTestFleet } from "../../shared/testing/fleet.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";
import { DockerFailed, DockerMissing, docker, requireDocker } from "./docker-cli.ts";
import {
  BadImageRequest,
  defaultTag,
  imageNames,
  imageReference,
  readSource,
  TOOLS,
} from "./image-set.ts";
import { measureColdStart, type Tried } from "./try-image/cold-start.ts";
import { runOnce } from "./try-image/container.ts";
import { type LoadResult, runLoad } from "./try-image/load.ts";
import { triedJobs } from "./try-image/sample-jobs.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;
const JOBS = 2_000;
const STARTS = 7;
/** Beside the drain deadline: aborting, closing, and the forced exit. */
const GRACE_BESIDE_DRAIN_MS = 8_000;

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

function wholeNumber(name: string, fallback: number): number {
  const value = Number(process.env[name] || fallback);
  if (!Number.isInteger(value) || value < 1)
    throw new BadImageRequest(`${name} must be a whole number from 1, not ${process.env[name]}.`);
  return value;
}

/** Its size in bytes; throws with what to do when it was not built. */
async function sizeOf(image: string, name: string, tag: string): Promise<number> {
  try {
    return Number(await docker(["image", "inspect", "--format", "{{.Size}}", image]));
  } catch (cause) {
    const how = `run \`make images NAME=${name} TAG=${tag}\` first`;
    throw new BadImageRequest(`There is no image ${image}: ${how}.`, { cause });
  }
}

/** What is wrong with a run; empty when all is well. */
function problemsOf({ drained, ended, lost, failed }: LoadResult): string[] {
  const stops = Object.entries({ "in the middle of the load": drained, "at the end": ended });
  return [
    ...(lost > 0 ? [`${lost} jobs have no result or no reply`] : []),
    ...(failed > 0 ? [`${failed} jobs failed`] : []),
    ...stops.flatMap(([when, { exitCode, log }]) =>
      exitCode === 0 ? [] : [`SIGTERM ${when} ended with ${exitCode}:\n${log.slice(-2_000)}`],
    ),
  ];
}

async function main(): Promise<number> {
  const { TAG, REGISTRY } = process.env;
  const count = wholeNumber("JOBS", JOBS);
  const starts = wholeNumber("STARTS", STARTS);
  const [name = ""] = await imageNames(process.env.NAME || "?");
  const workers = await loadWorkers();
  const worker = workers.find(({ definition }) => definition.name === name);
  if (!worker) throw new BadImageRequest(`NAME=${name} is tried together with any engine's image.`);
  const jobs = await triedJobs(worker.definition, process.env);
  await requireDocker();
  const tag = TAG || defaultTag(readSource());
  const image = imageReference(name, tag, REGISTRY);
  const tools = imageReference(TOOLS, tag, REGISTRY);
  const bytes = await sizeOf(image, name, tag);
  await sizeOf(tools, TOOLS, tag);

  readDotEnv();
  const services = await provideServices();
  const sources = Object.entries(services.sources).map(([service, from]) => `${service} (${from})`);
  say(`services: ${sources.join(", ")}`);
  try {
    Object.assign(process.env, services.env());
    const fleet = await openTestFleet(
      workers.map(({ definition }) => definition),
      workers.map(({ folder }) => folder),
    );
    try {
      const { ENGINE_PREFIX } = fleet.config;
      const env = { ...services.env(), ENGINE_PREFIX, HEALTH_PORT: "0", LOG_LEVEL: "info" };
      for (const script of ["scripts/operate/topology.ts", "scripts/operate/migrate.ts"])
        say(`tools: ${await runOnce(tools, env, [script])}`);
      const graceMs = drainDeadlineMs(worker.definition) + GRACE_BESIDE_DRAIN_MS;
      const tried: Tried = { name, image, fleet, env, jobs, graceMs };
      const { insideMs, outsideMs } = await measureColdStart(tried, starts);
      const load = await runLoad(tried, count);
      const problems = problemsOf(load);
      for (const problem of problems) say(problem);
      const figures = {
        image,
        size_mb: Math.round(bytes / 1e6),
        cold_start_ms: Math.round(insideMs),
        outside_ms: Math.round(outsideMs),
        ratio: (insideMs / outsideMs).toFixed(2),
        jobs: count,
        jobs_per_s: Math.round(load.jobsPerSecond),
        drain_ms: Math.round(load.drained.tookMs),
        exit: load.drained.exitCode,
        lost: load.lost,
      };
      const pairs = Object.entries(figures).map(([key, value]) => `${key}=${value}`);
      console.log(`try-image: ${pairs.join(" ")}`);
      return problems.length === 0 ? 0 : EXIT_FAILED;
    } finally {
      await fleet.close();
    }
  } finally {
    await services.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const misused = error instanceof BadImageRequest;
  if (!misused && !(error instanceof DockerMissing) && !(error instanceof DockerFailed))
    throw error;
  say(error.message);
  process.exitCode = misused ? EXIT_MISUSED : EXIT_FAILED;
}
