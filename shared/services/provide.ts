/**
 * Provides RabbitMQ, Postgres and Redis to demo, tests, bench and crash test: those that the
 * environment names, the set that `make services-up` keeps, Docker's, or native child processes.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ContainerName, composeUp, dockerAnswers, startContainers } from "./docker.ts";
import { runningKept } from "./kept.ts";
import { type NativeService, type NativeServices, startNativeServices } from "./native.ts";
import { type Reaper, startReaper } from "./reaper.ts";
import { type ServiceName, type ServiceUrls, URLS_OF_SERVICE } from "./urls.ts";

export const SOURCES = ["environment", "kept", "docker", "native"] as const;
export type Source = (typeof SOURCES)[number];

/** The git-ignored folder of the services' data. */
export const SERVICES_DIR = resolve(import.meta.dirname, "../../.services");

export interface ProvideOptions {
  /** Folder for data and logs. Default: `.services` of the repository. */
  dir?: string;
  /** Default: RabbitMQ, Postgres and Redis. PgBouncer and S3 are started only for those who ask. */
  needs?: readonly ServiceName[];
  /** Which sources may be used; their order is fixed. Default: all. */
  sources?: readonly Source[];
  /** Default: compose. */
  docker?: "compose" | "testcontainers";
}

/** Handles on one native server, for tests that break it. */
export interface ServiceControl {
  /** The server's process; undefined while it is down. */
  readonly pid: number | undefined;
  /** Its own environment, which its command-line tools need too: node name, cookie's home, epmd's port. */
  readonly env: Record<string, string>;
  /** Path of what it says; gone after {@link Services.stop}. */
  readonly logFile: string;
  /**
   * Sends a signal, by default SIGKILL, and resolves when the server is gone. SIGKILL reaches all of
   * its processes, another signal the main one.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again with the same port and data, and resolves when it takes connections. */
  start(): Promise<void>;
  /** Freezes it: connections stay open, nobody answers. */
  pause(): void;
  resume(): void;
}

export interface Services {
  /** Where each needed service came from. */
  readonly sources: Partial<Record<ServiceName, Source>>;
  readonly amqpUrl: string;
  /** Undefined where the environment names a broker without its management API. */
  readonly managementUrl: string | undefined;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** Postgres through PgBouncer; undefined unless it was needed and its Postgres is not a given one. */
  readonly poolerUrl: string | undefined;
  /** The variables for worker processes. */
  env(): Record<string, string>;
  /** Handles on a service that came as a native child process; undefined for any other. */
  control(name: ServiceName): ServiceControl | undefined;
  /** Ends and removes what this call started, and nothing else. It also happens when this process ends. */
  stop(): Promise<void>;
}

/** Provides the services; see {@link ProvideOptions}. Throws when no source can provide one of them. */
export async function provideServices(options: ProvideOptions = {}): Promise<Services> {
  const { needs = ["rabbitmq", "postgres", "redis"], sources: allowed = SOURCES } = options;
  const dir = resolve(options.dir ?? SERVICES_DIR);
  const found = new Found(needs);
  if (allowed.includes("environment")) found.fromUrls("environment", process.env);
  if (allowed.includes("kept") && found.missing.length > 0) {
    const kept = await runningKept(dir);
    if (kept) found.fromUrls("kept", kept.urls);
  }
  // A pooler in front of a given database is the giver's business.
  if (found.sources.postgres === "environment") found.leaveOut("pgbouncer");
  if (found.missing.length === 0) return servicesOf(found, {}, []);

  const closers: (() => Promise<void>)[] = [];
  try {
    const reaper = startReaper();
    closers.push(() => reaper.end());
    if (allowed.includes("docker"))
      await fromDocker(found, options.docker ?? "compose", reaper, closers);
    const native = allowed.includes("native") ? await fromNative(found, dir, reaper) : {};
    if (found.missing.length > 0)
      throw new Error(`${found.missing.join(", ")}: not to be had from ${allowed.join(", ")}`);
    return servicesOf(found, native, closers);
  } catch (error) {
    for (const close of closers.reverse()) await close();
    throw error;
  }
}

/** Collects which service came from where. */
class Found {
  readonly urls: Partial<ServiceUrls> = {};
  readonly sources: Partial<Record<ServiceName, Source>> = {};
  missing: ServiceName[];

  constructor(needs: readonly ServiceName[]) {
    this.missing = [...needs];
  }

  /** Takes those missing services whose URLs are there. */
  fromUrls(source: Source, urls: Partial<Record<string, string | undefined>>): void {
    for (const name of [...this.missing]) {
      const names = URLS_OF_SERVICE[name];
      if (!urls[names[0]]) continue;
      for (const key of names) if (urls[key]) this.urls[key] = urls[key];
      this.sources[name] = source;
      this.leaveOut(name);
    }
  }

  leaveOut(name: ServiceName): void {
    this.missing = this.missing.filter((other) => other !== name);
  }
}

async function fromDocker(
  found: Found,
  how: "compose" | "testcontainers",
  reaper: Reaper,
  closers: (() => Promise<void>)[],
): Promise<void> {
  const names = found.missing.filter(
    (name): name is ContainerName => name !== "pgbouncer" && name !== "s3",
  );
  if (names.length === 0 || !(await dockerAnswers(how))) return;
  try {
    if (how === "compose") {
      found.fromUrls("docker", await composeUp(`tl-engine-${process.pid}`, names, reaper));
    } else {
      const containers = await startContainers(names);
      closers.push(containers.stop);
      found.fromUrls("docker", containers.urls);
    }
  } catch (error) {
    // A daemon that can't get the images, for instance.
    process.stderr.write(`Docker can't run the services (${error}); trying native ones.\n`);
  }
}

async function fromNative(found: Found, dir: string, reaper: Reaper): Promise<NativeServices> {
  if (found.missing.length === 0) return {};
  mkdirSync(dir, { recursive: true });
  const folder = mkdtempSync(join(dir, "run-"));
  reaper.removeAtEnd(folder);
  const native = await startNativeServices(found.missing, {
    dir: folder,
    reaper,
    ...(found.urls.DATABASE_URL && { databaseUrl: found.urls.DATABASE_URL }),
  });
  for (const service of Object.values(native)) found.fromUrls("native", service.urls);
  return native;
}

function servicesOf(
  { urls, sources }: Found,
  native: NativeServices,
  closers: (() => Promise<void>)[],
): Services {
  let stopped: Promise<void> | undefined;
  return {
    sources,
    amqpUrl: urls.AMQP_URL ?? "",
    managementUrl: urls.RABBITMQ_MANAGEMENT_URL,
    databaseUrl: urls.DATABASE_URL ?? "",
    redisUrl: urls.REDIS_URL ?? "",
    poolerUrl: urls.POOLER_URL,
    env: () => ({ ...urls }) as Record<string, string>,
    control: (name) => native[name] && controlOf(native[name]),
    stop() {
      stopped ??= (async () => {
        for (const close of closers.reverse()) await close();
      })();
      return stopped;
    },
  };
}

const controlOf = ({ main, ready }: NativeService): ServiceControl => ({
  get pid() {
    return main.running ? main.pid : undefined;
  },
  env: main.command.env ?? {},
  logFile: main.command.logFile,
  kill: (signal) => main.kill(signal),
  async start() {
    main.spawn();
    await ready();
  },
  pause: () => main.pause(),
  resume: () => main.resume(),
});
