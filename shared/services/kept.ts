/** The set of services that stays between runs: started, found again and ended by its state file. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { composeDown, composeRunning, composeUp, dockerAnswers } from "./docker.ts";
import { startNativeServices } from "./native.ts";
import { processIdentity } from "./process-table.ts";
import { startReaper } from "./reaper.ts";
import type { ServiceUrls } from "./urls.ts";

/** What is written down about the set. A process is ours only while pid and identity both match. */
interface KeptState {
  source: "docker" | "native";
  urls: Partial<ServiceUrls>;
  project?: string;
  processes: { name: string; pid: number; identity: string; endSignal: NodeJS.Signals }[];
  folders: string[];
}

const KEPT_NAMES = ["rabbitmq", "postgres", "redis"] as const;
const stateFile = (dir: string) => join(dir, "kept.json");

export function readKept(dir: string): KeptState | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(dir), "utf8"));
  } catch {
    return undefined;
  }
}

function writeKept(dir: string, state: KeptState): void {
  const file = stateFile(dir);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

const ours = ({ pid, identity }: KeptState["processes"][number]) =>
  processIdentity(pid) === identity;

/** The state of the set if all of it runs; undefined when there is none or a part of it is gone. */
export async function runningKept(dir: string): Promise<KeptState | undefined> {
  const state = readKept(dir);
  if (!state) return undefined;
  if (state.project === undefined) return state.processes.every(ours) ? state : undefined;
  const running = await composeRunning(state.project).catch(() => 0);
  return running === KEPT_NAMES.length ? state : undefined;
}

/** Another process starts or ends the set right now. */
export class KeptSetLocked extends Error {
  override readonly name = "KeptSetLocked";
}

/** Runs alone among processes: two `services-up` at once would start two sets and forget one. */
async function withLock<Result>(dir: string, run: () => Promise<Result>): Promise<Result> {
  mkdirSync(dir, { recursive: true });
  const lock = join(dir, "kept.lock");
  const mine = `${process.pid} ${processIdentity(process.pid)}`;
  try {
    writeFileSync(lock, mine, { flag: "wx" });
  } catch (cause) {
    const [pid, ...identity] = readFileSync(lock, "utf8").split(" ");
    if (processIdentity(Number(pid)) === identity.join(" "))
      throw new KeptSetLocked(`process ${pid} starts or ends the services right now`, { cause });
    writeFileSync(lock, mine); // Its owner is gone.
  }
  try {
    return await run();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Starts the set, or finds it running. What is left of an earlier, broken set is ended first. */
export function keepServices(
  dir: string,
  sources: readonly string[],
): Promise<{ state: KeptState; started: boolean }> {
  return withLock(dir, async () => {
    const running = await runningKept(dir);
    if (running) return { state: running, started: false };
    await end(dir);
    const state =
      (sources.includes("docker") && (await keepInDocker(dir))) || (await keepNative(dir));
    writeKept(dir, state);
    return { state, started: true };
  });
}

/** A folder has one set, and so a project name of its own: two clones must not end each other's. */
export const projectOf = (dir: string) =>
  `tl-engine-kept-${createHash("sha256").update(dir).digest("hex").slice(0, 16)}`;

async function keepInDocker(dir: string): Promise<KeptState | undefined> {
  if (!(await dockerAnswers("compose"))) return undefined;
  const project = projectOf(dir);
  try {
    const urls = await composeUp(project, [...KEPT_NAMES]);
    return { source: "docker", urls, project, processes: [], folders: [] };
  } catch (error) {
    await composeDown(project).catch(() => {});
    process.stderr.write(`Docker can't run the services (${error}); trying native ones.\n`);
    return undefined;
  }
}

async function keepNative(dir: string): Promise<KeptState> {
  const folder = join(dir, "kept");
  // Until it is complete a reaper watches it; then the set is let go.
  const reaper = startReaper();
  reaper.removeAtEnd(folder);
  mkdirSync(folder, { recursive: true });
  const services = await startNativeServices([...KEPT_NAMES], { dir: folder, reaper }).catch(
    async (error) => {
      await reaper.end();
      throw error;
    },
  );
  const all = Object.values(services);
  await reaper.release();
  return {
    source: "native",
    urls: Object.assign({}, ...all.map((service) => service.urls)),
    processes: all.flatMap((service) =>
      service.processes.map(({ pid = 0, command: { name, endSignal = "SIGKILL" } }) => ({
        name,
        pid,
        identity: processIdentity(pid) ?? "",
        endSignal,
      })),
    ),
    folders: [folder, ...all.flatMap((service) => service.folders ?? [])],
  };
}

/** Ends the set and removes its data. Returns what was ended. */
export function dropServices(dir: string): Promise<string[]> {
  return withLock(dir, () => end(dir));
}

async function end(dir: string): Promise<string[]> {
  const state = readKept(dir);
  if (!state) return [];
  if (state.project !== undefined) await composeDown(state.project);
  const reaper = startReaper();
  const alive = state.processes.filter(ours);
  for (const { pid, endSignal } of alive) reaper.watch(pid, endSignal);
  for (const folder of state.folders) reaper.removeAtEnd(folder);
  await reaper.end();
  rmSync(stateFile(dir), { force: true });
  return state.project !== undefined ? [...KEPT_NAMES] : alive.map(({ name }) => name);
}
