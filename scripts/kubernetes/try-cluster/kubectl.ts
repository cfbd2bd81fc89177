/** kubectl without waiting in its way: publishing and sampling go on while it runs, and each call has a time-out. */
import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { TryError } from "./try-error.ts";

/** Of a call that waits for nothing in the cluster. */
const CALL_TIMEOUT_MS = 60_000;

interface CallOptions {
  /** Given to its standard input. */
  input?: string;
  /** Exit statuses that are no failure. Default 0 alone. */
  ok?: number[];
  /** Default 60 s. */
  timeoutMs?: number;
}

/** The cluster of the one context that was checked, and the one namespace. */
export interface TriedCluster {
  context: string;
  namespace: string;
  /** Gives standard output. @throws {TryError} */
  run(args: string[], options?: CallOptions): Promise<string>;
  /** The same, parsed; `-o json` is added. @throws {TryError} */
  read<T>(args: string[]): Promise<T>;
  /** Starts what runs until it is killed. */
  start(args: string[]): ChildProcess;
  /** How a person runs it. */
  command(...args: string[]): string;
  /** The same cluster for what must happen though all else was called off. */
  uninterrupted(): TriedCluster;
}

/** @param signal ends every call. */
export function triedCluster(
  context: string,
  namespace: string,
  signal?: AbortSignal,
): TriedCluster {
  const bound = (args: string[]) => [`--context=${context}`, "-n", namespace, ...args];
  const run: TriedCluster["run"] = (args, options) => call(bound(args), { ...options, signal });
  return {
    context,
    namespace,
    run,
    read: async (args) => JSON.parse(await run([...args, "-o", "json"])),
    start: (args) => spawn("kubectl", bound(args), { stdio: ["ignore", "pipe", "pipe"] }),
    command: (...args) => `kubectl ${bound(args).join(" ")}`,
    uninterrupted: () => triedCluster(context, namespace),
  };
}

async function call(
  args: string[],
  options: CallOptions & { signal: AbortSignal | undefined },
): Promise<string> {
  const { input, ok = [0], timeoutMs = CALL_TIMEOUT_MS, signal } = options;
  signal?.throwIfAborted();
  const child = spawn("kubectl", args, {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const kill = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", kill);
  let isLate = false;
  const late = setTimeout(() => {
    isLate = true;
    kill();
  }, timeoutMs);
  try {
    // It may end before it has read everything.
    child.stdin?.on("error", () => {}).end(input);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on("error", (cause) => reject(kubectlMissing(cause)));
      child.on("close", resolve);
    });
    const { stdout, stderr } = child as { stdout: NodeJS.ReadableStream; stderr: typeof stdout };
    const [status, out, err] = await Promise.all([ended, text(stdout), text(stderr)]);
    signal?.throwIfAborted();
    if (isLate)
      throw new TryError(
        "timed_out",
        `kubectl ${args.join(" ")} gave no answer within ${timeoutMs / 1_000} s.`,
      );
    if (status !== null && ok.includes(status)) return out;
    throw new TryError(
      "kubectl_failed",
      `kubectl ${args.join(" ")}\nended with ${status ?? "a signal"}:\n${err.trim()}`,
    );
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", kill);
  }
}

const kubectlMissing = (cause: Error) =>
  new TryError(
    "misused",
    "kubectl is not installed. Install it (https://kubernetes.io/docs/tasks/tools/) and try again.",
    { cause },
  );
