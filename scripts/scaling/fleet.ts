/** `make fleet`: the fleet on this machine, scaled from keda/*.yaml as KEDA and the HPA would scale it. */
import "../show/closed-pipe.ts";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { provideServices } from "../../shared/services/index.ts";
import { declareTopology, runMigrations } from "../author/dev/prepare.ts";
import { BadFiles } from "../kubernetes/read/bad-files.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { REPOSITORY, SCHEDULER_DEFAULTS } from "../repository.ts";
import { type Live, startLive } from "../show/terminal/live.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { createFleet, type Fleet } from "./fleet/fleet.ts";
import { gracePeriods } from "./fleet/grace-period.ts";
import { readKeda } from "./fleet/read-keda.ts";
import { createView, type FleetView } from "./fleet/view.ts";

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;
const SAMPLE_MS = 500;
const PLAIN_INTERVAL_MS = 5_000;

/** The options or the environment are wrong; the message says how. */
class Misuse extends Error {
  override readonly name = "Misuse";
}

interface Options {
  timeScale: number;
  maxReplicas: number | undefined;
  /** Ends after so many seconds; undefined: at Ctrl-C. */
  durationS: number | undefined;
  /** Ends when all engines are back at their least, 0 where none is always on, after at least one of them had more. */
  untilZero: boolean;
  keda: string;
  logs: string;
}

/** From the command line, else from the environment, where `make` puts them. */
function readOptions(): Options {
  const { env } = process;
  const parse = () =>
    parseArgs({
      options: {
        "time-scale": { type: "string", default: env.TIME_SCALE || "1" },
        "max-replicas": { type: "string", default: env.MAX_REPLICAS ?? "" },
        duration: { type: "string", default: env.DURATION ?? "" },
        "until-zero": { type: "boolean", default: Boolean(env.UNTIL_ZERO) },
        /** Folder of the ScaledObjects. */
        keda: { type: "string", default: join(REPOSITORY, "keda") },
        /** Folder of the workers' logs. */
        logs: { type: "string", default: join(REPOSITORY, "out/fleet/logs") },
      },
    }).values;
  let values: ReturnType<typeof parse>;
  try {
    values = parse();
  } catch (cause) {
    throw new Misuse((cause as Error).message, { cause });
  }
  const number = (name: keyof typeof values, least: number, whole: boolean) => {
    const value = Number(values[name]);
    if (!(value >= least) || value > 100_000 || (whole && !Number.isInteger(value)))
      throw new Misuse(`--${name} must be a ${whole ? "whole " : ""}number from ${least}`);
    return value;
  };
  if (!existsSync(values.keda)) throw new Misuse(`${values.keda}: no such folder (--keda)`);
  return {
    timeScale: number("time-scale", 0.1, false),
    maxReplicas: values["max-replicas"] ? number("max-replicas", 1, true) : undefined,
    durationS: values.duration ? number("duration", 0.1, false) : undefined,
    untilZero: values["until-zero"],
    keda: values.keda,
    logs: values.logs,
  };
}

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

async function main(stop: AbortController): Promise<void> {
  const options = readOptions();
  readDotEnv();
  await using services = new AsyncDisposableStack();
  const provided = services.adopt(await provideServices(), (it) => it.stop());
  const { amqpUrl, managementUrl } = provided;
  const sources = Object.entries(provided.sources);
  say(`services: ${sources.map(([service, source]) => `${service} (${source})`).join(", ")}`);
  if (managementUrl === undefined)
    throw new Misuse("RABBITMQ_MANAGEMENT_URL is missing: KEDA asks the broker's management API");
  const prefix = process.env.ENGINE_PREFIX || "engine";
  const { keda: folder, maxReplicas } = options;
  const scaledObjects = readKeda({
    folder,
    amqpUrl,
    managementUrl,
    prefix,
    ...(maxReplicas !== undefined && { maxReplicas }),
  });
  const env = { ...SCHEDULER_DEFAULTS, ...process.env, ...provided.env() };
  await declareTopology(env, say);
  await runMigrations(env, say);
  if (stop.signal.aborted) return;

  let view: FleetView | undefined;
  let live: Live | undefined;
  const fleet = createFleet({
    scaledObjects,
    env,
    logFolder: options.logs,
    repository: REPOSITORY,
    timeScale: options.timeScale,
    graceS: gracePeriods(REPOSITORY),
    onEvent: (text) => {
      view?.event(text);
      live?.say(text);
    },
  });
  view = createView(fleet, "tl-engine fleet · scaled from keda/*.yaml", notesOf(options, prefix));
  live = startLive(view, process.stdout, PLAIN_INTERVAL_MS);
  await runFleet(fleet, view, live, options, stop);
}

/** What differs here from a cluster. */
function notesOf({ timeScale, maxReplicas }: Options, prefix: string): string[] {
  return [
    [
      timeScale === 1
        ? "KEDA's and the HPA's own clocks"
        : `KEDA's and the HPA's clocks × ${timeScale}`,
      maxReplicas === undefined
        ? `${availableParallelism()} cores, replicas as in the files`
        : `at most ${maxReplicas} replicas an engine (MAX_REPLICAS)`,
      ...(prefix === "engine" ? [] : [`queues of ${prefix}`]),
      "Ctrl-C drains",
    ].join(" · "),
  ];
}

async function runFleet(
  fleet: Fleet,
  view: FleetView,
  live: Live,
  options: Options,
  stop: AbortController,
): Promise<void> {
  const startedAtMs = performance.now();
  const sampling = setInterval(() => view.sample(), SAMPLE_MS);
  // Whoever asks twice does not want to wait.
  stop.signal.addEventListener("abort", () => process.once("SIGINT", () => fleet.kill()));
  fleet.start();
  await untilOver(fleet, options, stop.signal);
  await fleet.stop();
  clearInterval(sampling);
  live.stop();
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  const sum = (figure: (engine: Fleet["engines"][number]) => number) =>
    fleet.engines.reduce((total, engine) => total + figure(engine), 0);
  const peak = Math.max(...fleet.engines.map(({ totals }) => totals.peakReplicas));
  console.log(
    `fleet: engines=${fleet.engines.length} asked=${sum(({ totals }) => totals.asked)} unanswered=${sum(({ totals }) => totals.unanswered)} pods=${sum(({ deployment }) => deployment.totals.started)} crashed=${sum(({ deployment }) => deployment.totals.crashed)} killed=${sum(({ deployment }) => deployment.totals.killed)} peak_replicas=${peak} seconds=${seconds}`,
  );
}

async function untilOver(fleet: Fleet, options: Options, signal: AbortSignal): Promise<void> {
  const { durationS = Number.POSITIVE_INFINITY, untilZero } = options;
  const startedAtMs = performance.now();
  const hasRun = () =>
    fleet.engines.some(
      ({ totals, scaledObject }) => totals.peakReplicas > scaledObject.minReplicaCount,
    );
  const isIdle = () =>
    fleet.engines.every(
      ({ deployment: { replicas, pods }, scaledObject }) =>
        replicas + pods.draining <= scaledObject.minReplicaCount,
    );
  while (!signal.aborted && performance.now() - startedAtMs < durationS * 1_000) {
    if (untilZero && hasRun() && isIdle()) return;
    await delay(100, undefined, { signal }).catch(() => {});
  }
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
try {
  await main(stop);
} catch (error) {
  const isMisuse = error instanceof Misuse || error instanceof BadFiles;
  console.error(isMisuse ? printableLines(error.message) : error);
  process.exitCode = isMisuse ? EXIT_MISUSED : EXIT_FAILED;
}
