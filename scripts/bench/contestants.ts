/** Who takes part: how each worker is started and which lane feeds it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bundleOf, NODE_FLAGS } from "../images/bundle.ts";
import type { Harness } from "./harness.ts";
import {
  amqpLane,
  bullmqLane,
  celeryJob,
  GRAPHILE_SCHEMA,
  graphileLane,
  type Lane,
  noopJob,
  ownQueueLane,
} from "./lanes.ts";
import { PREFIX } from "./load.ts";
import type { BenchOptions, PeerName } from "./options.ts";
import type { Command } from "./worker-process.ts";

export interface Contestant {
  name: PeerName;
  /** What it does, for the table. */
  does: string;
  /** Part of JOBS that it gets, so that every round takes about as long for each. */
  share: number;
  command: Command;
  lane: Lane;
  /** Whether every job leaves a row in the results table, which is then checked. */
  persists: boolean;
}

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Queues of the peers that consume from RabbitMQ. */
export const RAW_QUEUE = "tl-bench.raw";
export const BARE_QUEUE = "tl-bench.bare";
export const NAIVE_QUEUE = "tl-bench.naive";
const CELERY_QUEUE = "tl-bench.celery";
export const PEER_QUEUES = [RAW_QUEUE, BARE_QUEUE, NAIVE_QUEUE, CELERY_QUEUE];

// As the images set it: Node then neither compiles nor strips types at a start. All peers get it alike.
const COMPILE_CACHE = { NODE_COMPILE_CACHE: file("../../out/bench/compile-cache") };

/** The engine that does nothing, from the repository. */
export const NOOP = "scripts/bench/noop/index.ts";

/**
 * Starts an engine's worker as its image does, with every default on.
 * @param worker its entry, from the repository; one of those that the harness bundled.
 */
export function engineCommand(harness: Harness, name: string, worker: string): Command {
  const script = (entry: string) => `${harness.bundles}/${bundleOf(entry)}`;
  return {
    name,
    command: process.execPath,
    args: [...NODE_FLAGS, script("shared/main.ts"), script(worker)],
    env: { ...COMPILE_CACHE, ...harness.urls, ENGINE_PREFIX: PREFIX, HEALTH_PORT: "0" },
  };
}

/** Starts one of the Node peers. */
export function peerCommand(name: string, ...args: string[]): Command {
  return {
    name,
    command: process.execPath,
    args: [file(`peers/${name}.ts`), ...args],
    env: COMPILE_CACHE,
  };
}

export const rawCommand = ({ urls }: Harness) => peerCommand("raw", urls.AMQP_URL, RAW_QUEUE);

export const naiveCommand = ({ urls }: Harness) =>
  peerCommand("naive", urls.AMQP_URL, NAIVE_QUEUE, urls.DATABASE_URL, urls.REDIS_URL);

/** The contestants that `options` names and that this machine can run; `leftOut` says which it can't. */
export async function assemble(
  harness: Harness,
  options: BenchOptions,
): Promise<{ contestants: Contestant[]; leftOut: string[] }> {
  const contestants: Contestant[] = [];
  const leftOut: string[] = [];
  for (const name of options.peers) {
    const contestant = await CONTESTANTS[name](harness, options);
    if (contestant) contestants.push({ name, ...contestant });
    else leftOut.push(name);
  }
  return { contestants, leftOut };
}

type Assemble = (
  harness: Harness,
  options: BenchOptions,
) => Promise<Omit<Contestant, "name"> | undefined>;

const CONTESTANTS: Record<PeerName, Assemble> = {
  raw: async (harness) => ({
    does: "consume, confirmed reply, ack; nothing else",
    share: 1,
    persists: false,
    lane: await ownQueueLane(harness, RAW_QUEUE, noopJob),
    command: rawCommand(harness),
  }),
  naive: async (harness) => ({
    does: "SET NX, INSERT, confirmed reply, SET, ack, one after another",
    share: 0.15,
    persists: true,
    lane: await ownQueueLane(harness, NAIVE_QUEUE, noopJob),
    command: naiveCommand(harness),
  }),
  bullmq: async (harness) => ({
    does: "BullMQ worker with the same INSERT, no AMQP reply",
    share: 0.15,
    persists: true,
    lane: bullmqLane(harness, "tl-bench"),
    command: peerCommand("bullmq", harness.urls.REDIS_URL, "tl-bench", harness.urls.DATABASE_URL),
  }),
  graphile: async (harness) => ({
    does: "graphile-worker, unbatched, with the same INSERT, no AMQP reply",
    share: 0.1,
    persists: true,
    lane: await graphileLane(harness),
    command: graphileCommand(harness),
  }),
  celery: async (harness) => {
    const python = pythonWithCelery();
    if (!python) return undefined;
    return {
      does: "Celery, prefork 2, late acks, same INSERT, confirmed reply",
      share: 0.03,
      persists: true,
      lane: await ownQueueLane(harness, CELERY_QUEUE, celeryJob),
      command: celeryCommand(python, harness),
    };
  },
  "tl-engine": async (harness, { profile }) => {
    const command = engineCommand(harness, "tl-engine", NOOP);
    const sampling = ["--cpu-prof", `--cpu-prof-dir=${harness.folder}/profile`];
    if (profile) command.args.unshift(...sampling);
    const queue = harness.names.queue("noop");
    const target = { exchange: harness.names.jobs, routingKey: "noop", queue };
    return {
      does: "the fleet with a no-op engine, everything on",
      share: 1,
      persists: true,
      lane: amqpLane(harness, target, noopJob),
      command,
    };
  },
};

function graphileCommand(harness: Harness): Command {
  const command = peerCommand("graphile", harness.urls.DATABASE_URL, GRAPHILE_SCHEMA);
  // By default it logs a line for every job, which no other peer does.
  return { ...command, env: { ...command.env, NO_LOG_SUCCESS: "1" } };
}

function celeryCommand(python: string, harness: Harness): Command {
  const prefork = ["--pool=prefork", "--concurrency=2", "--loglevel=WARNING"];
  // Chatter between workers is switched off, in Celery's favour.
  const quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"];
  return {
    name: "celery",
    command: python,
    args: ["-m", "celery", "-A", "celery_app", "worker", ...prefork, ...quiet],
    env: { ...harness.urls, BENCH_QUEUE: CELERY_QUEUE, PYTHONDONTWRITEBYTECODE: "1" },
    cwd: file("peers"),
  };
}

/** A Python that has Celery and psycopg2: the one in PATH, or Debian's own behind it. */
function pythonWithCelery(): string | undefined {
  const has = (python: string) =>
    spawnSync(python, ["-c", "import celery, psycopg2"], { stdio: "ignore" }).status === 0;
  return ["python3", "/usr/bin/python3"].find(has);
}
