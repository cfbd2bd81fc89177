/** A TCP proxy in front of one service, whose toxics make network faults without any privilege. */
import { once } from "node:events";
import { createServer, type Socket, connect as tcpConnect } from "node:net";
import { type Mute, openMute } from "./amqp-mute.ts";

/** `up` is from the client to the service, `down` the way back. */
export type Direction = "up" | "down";

export type Toxic =
  /** Every chunk arrives `delayMs` later, in both directions. */
  | { kind: "latency"; delayMs: number }
  /** Chunks arrive in pieces of at most `maxBytes`. */
  | { kind: "slice"; maxBytes: number }
  /** A partition: no byte passes; connections survive it, as TCP's do, and new ones wait for its end. */
  | { kind: "blackHole" }
  /** The service's side is gone and the client isn't told; when it ends, clients are reset. */
  | { kind: "halfOpen" }
  /** Live connections are reset, and new ones are until it ends. */
  | { kind: "refuse" }
  /** Resets the connection that has carried `bytes` in `direction` since now; once. */
  | { kind: "cutAfter"; bytes: number; direction: Direction }
  /**
   * Resets the connection on which the client sends `needle`, in any case; once. `lose: "request"`: the service
   * never sees these bytes. `lose: "response"`: it sees and answers them, and the answer is lost.
   */
  | { kind: "cutWhen"; needle: string; lose: "request" | "response" }
  /** The AMQP channels that are open now get no more confirms; all else passes. */
  | { kind: "muteConfirms" }
  /** Bytes on their way to the client become others, as many, wherever a chunk holds them whole. */
  | { kind: "replace"; find: Buffer; by: Buffer };

/** A toxic at work. */
export interface Applied {
  /** Resolves when a one-shot toxic (`cutAfter`, `cutWhen`) has cut a connection. */
  readonly fired: Promise<void>;
  /** Ends the toxic; harmless when it has ended. */
  remove(): void;
}

export interface ServiceProxy {
  readonly port: number;
  /** Live client connections. */
  connections(): number;
  apply(toxic: Toxic): Applied;
  /** Resets all live connections once. */
  reset(): void;
  /** Resets what is live and stops listening. */
  close(): Promise<void>;
}

/** A proxy with the URL that leads through it. */
export interface UrlProxy extends ServiceProxy {
  readonly url: string;
}

const DEFAULT_PORTS: Record<string, number> = {
  "amqp:": 5672,
  "amqps:": 5671,
  "postgres:": 5432,
  "postgresql:": 5432,
  "redis:": 6379,
  "rediss:": 6379,
};

/** Starts a proxy before the service that `url` names. */
export async function proxyBefore(url: string): Promise<UrlProxy> {
  const through = new URL(url);
  const { protocol, hostname, port } = through;
  const proxy = await startProxy({
    host: hostname,
    port: Number(port || DEFAULT_PORTS[protocol]),
  });
  through.hostname = "127.0.0.1";
  through.port = String(proxy.port);
  return { ...proxy, url: through.href };
}

interface Armed {
  toxic: Toxic;
  fire(): void;
}

interface Link {
  /** Called after every change of the toxics. */
  refresh(): void;
  reset(): void;
}

/** Starts a proxy on 127.0.0.1 (port 0 takes any free one) that forwards to `target`. */
export async function startProxy(
  target: { host: string; port: number },
  port = 0,
): Promise<ServiceProxy> {
  const armed = new Set<Armed>();
  const links = new Set<Link>();
  const refresh = () => {
    for (const link of links) link.refresh();
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    const link = openLink(client, target, armed, () => links.delete(link));
    links.add(link);
    link.refresh();
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  return {
    port: address.port,
    connections: () => links.size,
    apply(toxic) {
      const { promise: fired, resolve } = Promise.withResolvers<void>();
      const entry: Armed = {
        toxic,
        fire() {
          armed.delete(entry);
          resolve();
        },
      };
      armed.add(entry);
      refresh();
      return {
        fired,
        remove() {
          if (armed.delete(entry)) refresh();
        },
      };
    },
    reset() {
      for (const link of links) link.reset();
    },
    async close() {
      armed.clear();
      const closed = once(server, "close");
      server.close();
      for (const link of links) link.reset();
      await closed;
    },
  };
}

/**
 * Ends it with a RST. While its own end is on the way libuv refuses that (EINVAL), and Node then keeps the handle for
 * ever: such a socket is only closed.
 */
export function cut(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

/** Carries one client's connection; it asks the toxics on every chunk and on every change. */
function openLink(
  client: Socket,
  target: { host: string; port: number },
  armed: Set<Armed>,
  onClosed: () => void,
): Link {
  let upstream: Socket | undefined;
  let orphaned = false;
  let isClosed = false;
  const pumps: Pump[] = [];
  const confirms = openMute();
  let isMuted = false;
  const has = (kind: Toxic["kind"]) => [...armed].some((entry) => entry.toxic.kind === kind);

  const reset = () => {
    if (isClosed) return;
    isClosed = true;
    for (const pump of pumps) pump.stop();
    cut(client);
    if (upstream !== undefined) cut(upstream);
    onClosed();
  };
  const connectUpstream = () => {
    upstream = tcpConnect({ ...target, noDelay: true });
    upstream.on("error", reset);
    upstream.on("close", () => {
      if (!orphaned && pumps.every((pump) => pump.ended())) reset();
    });
    const inspect = inspectorOf(armed, reset);
    pumps.push(pumpOf(client, upstream, "up", armed, inspect, confirms));
    pumps.push(pumpOf(upstream, client, "down", armed, inspect, confirms));
  };
  client.on("error", reset);
  client.on("close", reset);

  return {
    reset,
    refresh() {
      if (isClosed) return;
      if (has("refuse")) return reset();
      if (has("muteConfirms") !== isMuted) {
        isMuted = !isMuted;
        if (isMuted) confirms.mute();
        else confirms.unmute();
      }
      if (has("halfOpen")) {
        if (orphaned) return;
        orphaned = true;
        for (const pump of pumps) pump.stop();
        upstream?.destroy();
        client.removeAllListeners("data");
        client.resume(); // swallows what the client still sends
        return;
      }
      if (orphaned) return reset();
      if (has("blackHole")) {
        for (const pump of pumps) pump.refresh();
        return;
      }
      if (!upstream) connectUpstream();
      for (const pump of pumps) pump.refresh();
    },
  };
}

interface Pump {
  refresh(): void;
  stop(): void;
  ended(): boolean;
}

/** Says how much of a chunk may pass, and cuts the connection for one-shot toxics. */
type Inspect = (direction: Direction, chunk: Buffer) => "pass" | "cut";

/** Watches one connection for the bytes that the one-shot toxics wait for. */
function inspectorOf(armed: Set<Armed>, reset: () => void): Inspect {
  const tails = new Map<Armed, string>();
  const counts = new Map<Armed, number>();
  let dropsNextAnswer: Armed | undefined;

  return (direction, chunk) => {
    if (dropsNextAnswer && direction === "down") {
      dropsNextAnswer.fire();
      reset();
      return "cut";
    }
    for (const entry of armed) {
      const { toxic } = entry;
      if (toxic.kind === "cutAfter" && toxic.direction === direction) {
        const count = (counts.get(entry) ?? 0) + chunk.length;
        counts.set(entry, count);
        if (count < toxic.bytes) continue;
        entry.fire();
        reset();
        return "cut";
      }
      if (toxic.kind === "cutWhen" && direction === "up") {
        const seen = (tails.get(entry) ?? "") + chunk.toString("latin1").toLowerCase();
        tails.set(entry, seen.slice(1 - toxic.needle.length));
        if (!seen.includes(toxic.needle.toLowerCase())) continue;
        if (toxic.lose === "response") {
          // A reset now could make the service drop what it hasn't read: wait until it answers.
          armed.delete(entry);
          dropsNextAnswer = entry;
          continue;
        }
        entry.fire();
        reset();
        return "cut";
      }
    }
    return "pass";
  };
}

function replaceBytes(chunk: Buffer, { find, by }: { find: Buffer; by: Buffer }): void {
  for (let at = chunk.indexOf(find); at !== -1; at = chunk.indexOf(find, at + by.length))
    by.copy(chunk, at);
}

/** Moves bytes one way, in order, held back by latency, slicing and partitions. */
function pumpOf(
  from: Socket,
  to: Socket,
  direction: Direction,
  armed: Set<Armed>,
  inspect: Inspect,
  confirms: Mute,
): Pump {
  const queue: { chunk: Buffer; dueAtMs: number }[] = [];
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let hasEnded = false;
  let wantsEnd = false;

  const find = <Kind extends Toxic["kind"]>(kind: Kind) => {
    for (const { toxic } of armed)
      if (toxic.kind === kind) return toxic as Extract<Toxic, { kind: Kind }>;
    return undefined;
  };
  const write = (chunk: Buffer) => {
    const sliceBytes = find("slice")?.maxBytes ?? chunk.length;
    let flows = true;
    for (let start = 0; start < chunk.length; start += sliceBytes)
      flows = to.write(chunk.subarray(start, start + sliceBytes));
    if (!flows) from.pause();
  };
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (isStopped || find("blackHole")) return;
    for (let head = queue[0]; head; head = queue[0]) {
      const waitMs = head.dueAtMs - performance.now();
      if (waitMs > 0) {
        timer = setTimeout(flush, waitMs);
        return;
      }
      queue.shift();
      write(head.chunk);
    }
    if (wantsEnd && !hasEnded) {
      hasEnded = true;
      to.end();
    }
  };
  from.on("data", (chunk: Buffer) => {
    if (isStopped || inspect(direction, chunk) === "cut") return;
    const passing = confirms[direction](chunk);
    if (passing.length === 0) return;
    const replaced = direction === "down" ? find("replace") : undefined;
    if (replaced) replaceBytes(passing, replaced);
    queue.push({ chunk: passing, dueAtMs: performance.now() + (find("latency")?.delayMs ?? 0) });
    if (!timer) flush();
  });
  from.on("end", () => {
    wantsEnd = true;
    if (!timer) flush();
  });
  to.on("drain", () => {
    if (!isStopped && !find("blackHole")) from.resume();
  });

  return {
    refresh() {
      if (isStopped) return;
      if (find("blackHole")) {
        from.pause();
        return;
      }
      from.resume();
      if (!timer) flush();
    },
    stop() {
      isStopped = true;
      clearTimeout(timer);
    },
    ended: () => hasEnded || isStopped,
  };
}
