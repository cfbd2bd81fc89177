/** One container of an image under test, as Kubernetes would run it: no root, read-only, no privileges. */
import { docker } from "../docker-cli.ts";

/** As the manifests limit a worker. */
const MEMORY = "512m";
/** On Linux a container shares the machine's network, where native services listen on 127.0.0.1 only. */
const SHARES_NETWORK = process.platform === "linux";

export interface Ended {
  exitCode: number;
  /** From SIGTERM to the end. */
  tookMs: number;
  log: string;
}

export interface Container {
  log(): Promise<string>;
  /** SIGTERM, as at a scale-in; SIGKILL after the grace period, which shows as exit code 137. */
  stop(graceMs: number): Promise<Ended>;
  remove(): Promise<void>;
}

function options(urls: Record<string, string>): string[] {
  const here = (url: string) =>
    SHARES_NETWORK
      ? url
      : url.replace(/(?<=[@/])(127\.0\.0\.1|localhost)(?=[:/])/, "host.docker.internal");
  return [
    ...["--read-only", "--user", "65532:65532", "--cap-drop", "ALL", "--memory", MEMORY],
    ...["--security-opt", "no-new-privileges"],
    ...(SHARES_NETWORK ? ["--network", "host"] : []),
    ...Object.entries(urls).flatMap(([name, value]) => ["--env", `${name}=${here(value)}`]),
  ];
}

/** Runs a command of an image to its end, and returns what it wrote to stdout. Throws if it fails. */
export async function runOnce(
  image: string,
  env: Record<string, string>,
  args: string[],
): Promise<string> {
  return (await docker(["run", "--rm", ...options(env), image, ...args])).toString().trim();
}

export async function startContainer(
  image: string,
  env: Record<string, string>,
): Promise<Container> {
  const id = (await docker(["run", "--detach", ...options(env), image])).toString().trim();
  const inspect = async (format: string) =>
    (await docker(["inspect", "--format", format, id])).toString().trim();
  const log = async () => (await docker(["logs", id])).toString();
  return {
    log,
    async stop(graceMs) {
      const beganMs = performance.now();
      await docker(["stop", "--time", String(Math.ceil(graceMs / 1_000)), id]);
      const tookMs = performance.now() - beganMs;
      return { exitCode: Number(await inspect("{{.State.ExitCode}}")), tookMs, log: await log() };
    },
    async remove() {
      await docker(["rm", "--force", id]);
    },
  };
}
