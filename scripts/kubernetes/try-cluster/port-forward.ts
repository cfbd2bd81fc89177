/** A way to a service of the cluster, opened again on the same port of this machine whenever it breaks. */
import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { forEachLine } from "../../../shared/process/lines.ts";
import type { TriedCluster } from "./kubectl.ts";
import { TryError } from "./try-error.ts";

export interface PortForward {
  /** `127.0.0.1:54321` */
  readonly address: string;
  /** How often it broke and was opened again. */
  readonly reopened: number;
  close(): Promise<void>;
}

export interface PortForwardOptions {
  say(line: string): void;
  /** Of one opening. Default 30 s. */
  openTimeoutMs?: number;
  /** Between a break and the next opening. Default 500 ms. */
  retryMs?: number;
}

const OPEN_TIMEOUT_MS = 30_000;
const RETRY_MS = 500;

/** @throws {TryError} when the first opening fails. */
export async function openPortForward(
  cluster: TriedCluster,
  service: string,
  port: number,
  { say, openTimeoutMs = OPEN_TIMEOUT_MS, retryMs = RETRY_MS }: PortForwardOptions,
): Promise<PortForward> {
  let isClosing = false;
  let reopened = 0;
  let { child, localPort } = await open(cluster, service, port, undefined, openTimeoutMs);

  const keep = async () => {
    for (;;) {
      await ended(child);
      if (isClosing) return;
      say(`The port-forward to ${service} broke; it is opened again.`);
      while (!isClosing) {
        await sleep(retryMs);
        // Clients go on trying the port that they know.
        const again = await open(cluster, service, port, localPort, openTimeoutMs).catch(() => {});
        if (!again) continue;
        ({ child, localPort } = again);
        reopened++;
        break;
      }
      if (isClosing) child.kill();
    }
  };
  const kept = keep();
  return {
    address: `127.0.0.1:${localPort}`,
    get reopened() {
      return reopened;
    },
    async close() {
      isClosing = true;
      child.kill();
      await kept;
    },
  };
}

const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

const ended = (child: ChildProcess) =>
  new Promise<void>((resolve) => {
    if (isOver(child)) resolve();
    else child.once("close", () => resolve());
  });

/** Resolves when kubectl says that it listens. @param localPort undefined: any free one. */
async function open(
  cluster: TriedCluster,
  service: string,
  port: number,
  localPort: number | undefined,
  timeoutMs: number,
): Promise<{ child: ChildProcess; localPort: number }> {
  const args = ["port-forward", "--address=127.0.0.1", `service/${service}`];
  const child = cluster.start([...args, `${localPort ?? ""}:${port}`]);
  const said: string[] = [];
  const listening = new Promise<number>((resolve, reject) => {
    const failed = (why: string) =>
      reject(
        new TryError(
          "cluster_unfit",
          `The port-forward to ${service} ${why}.\n${said.join("\n")}\nLook: ${cluster.command("get", "pods,services")}`,
        ),
      );
    const late = setTimeout(() => failed(`did not open within ${timeoutMs / 1_000} s`), timeoutMs);
    for (const stream of [child.stdout, child.stderr])
      if (stream)
        forEachLine(stream, (line) => {
          said.push(line);
          said.splice(0, said.length - 5);
          const [, found] = /^Forwarding from 127\.0\.0\.1:(\d+) ->/.exec(line) ?? [];
          if (found === undefined) return;
          clearTimeout(late);
          resolve(Number(found));
        });
    child.once("error", ({ message }) => failed(`did not start: ${message}`));
    child.once("close", () => {
      clearTimeout(late);
      failed("ended");
    });
  });
  try {
    return { child, localPort: await listening };
  } catch (error) {
    child.kill();
    throw error;
  }
}
