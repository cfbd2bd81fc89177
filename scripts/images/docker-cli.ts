/** Runs the `docker` command, and says what to install where there is none. */
import { spawn } from "node:child_process";
import { buffer, text } from "node:stream/consumers";

/** There is no Docker here, or none that can build our images; the message says what to do. */
export class DockerMissing extends Error {
  override readonly name = "DockerMissing";
  readonly code = "docker_missing";
}

/** A docker command ended with an error; the message holds what it said. */
export class DockerFailed extends Error {
  override readonly name = "DockerFailed";
  readonly code = "docker_failed";
}

export interface DockerOptions {
  /** Passes on what the command prints, on stderr. Default: it is kept, and shown if it fails. */
  show?: boolean;
  env?: Record<string, string>;
}

/** Resolves with what the command wrote to stdout. */
export async function docker(args: string[], options: DockerOptions = {}): Promise<Buffer> {
  const child = spawn("docker", args, {
    stdio: ["ignore", options.show ? 2 : "pipe", options.show ? 2 : "pipe"],
    env: { ...process.env, ...options.env },
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", (cause) => reject(new DockerMissing(installDocker(), { cause })));
    child.on("close", (code) => resolve(code ?? 1));
  });
  const [code, stdout, stderr] = await Promise.all([
    ended,
    child.stdout ? buffer(child.stdout) : Buffer.alloc(0),
    child.stderr ? text(child.stderr) : "",
  ]);
  if (code !== 0)
    throw new DockerFailed(`docker ${args[0]} ended with ${code}: ${stderr.trim() || "see above"}`);
  return stdout;
}

const installDocker = () =>
  "Docker is needed: install Docker Engine 23 or newer (https://docs.docker.com/engine/install), or " +
  "Docker Desktop, and try `docker version`.";

/** @throws {DockerMissing} when no daemon answers. */
export async function requireDocker(): Promise<void> {
  try {
    await docker(["version", "--format", "{{.Server.Version}}"]);
  } catch (cause) {
    if (cause instanceof DockerMissing) throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new DockerMissing(`No Docker daemon answers. ${installDocker()}\n${said}`, { cause });
  }
}
