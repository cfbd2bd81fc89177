/** What a fleet must not leave open when it closes: connections, channels, pool clients, handles. */
import { Socket } from "node:net";
import type { ChannelModel } from "amqplib";
import type pg from "pg";

/** The fleet was closed, and these were still open. */
export class Leaked extends Error {
  override readonly name = "Leaked";
  readonly leaks: readonly string[];

  constructor(leaks: readonly string[]) {
    super(`still open after the fleet was closed: ${leaks.join(", ")}`);
    this.leaks = leaks;
  }
}

const POLL_MS = 50;
/** A connection that was being made when its pool ended lives until its own timeout of 15 s. */
const HANDLES_GONE_WITHIN_MS = 20_000;

/** Looks until nothing is left, since every end is seen a little later, and returns what stays. */
export async function whatStays(
  look: () => Promise<string[]> | string[],
  withinMs: number,
): Promise<string[]> {
  for (const deadlineMs = performance.now() + withinMs; ; ) {
    const left = await look();
    if (left.length === 0 || performance.now() > deadlineMs) return left;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Kinds of handles that nobody but a test opens in its process; Vitest has timers and pipes of its own. */
const KINDS = ["TCPSocketWrap", "TCPServerWrap", "ProcessWrap"] as const;

const countHandles = () => {
  const all = process.getActiveResourcesInfo();
  return KINDS.map((kind) => all.filter((it) => it === kind).length);
};

/** Which server each leads to, or that it still connects: a count alone says nothing of whose it is. */
function openSockets(): string[] {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  return handles
    .call(process)
    .filter((handle) => handle instanceof Socket)
    .map((socket) =>
      socket.connecting
        ? "one that connects"
        : `${socket.localPort} → ${socket.remoteAddress}:${socket.remotePort}`,
    );
}

/** Fleets of this process that watch its handles, and the counts before the first of them. */
let watching = 0;
let before: number[] = [];

/**
 * Counts from now on; the function ends the watch and says which handles came and did not go. Handles have no
 * owner, so of fleets that are open at the same time only the last one can say it.
 */
export function watchHandles(): () => Promise<string[]> {
  if (watching++ === 0) before = countHandles();
  return async () => {
    if (--watching > 0) return [];
    return whatStays(
      () =>
        countHandles().flatMap((count, index) => {
          const more = count - (before[index] ?? 0);
          if (more <= 0) return [];
          const where =
            KINDS[index] === "TCPSocketWrap" ? ` among ${openSockets().join(", ")}` : "";
          return [`${more} × ${KINDS[index]}${where}`];
        }),
      HANDLES_GONE_WITHIN_MS,
    );
  };
}

/** Channels of a connection beyond those that are known. */
export function openChannels(model: ChannelModel, known: number): string[] {
  const { channels } = model.connection as unknown as { channels: unknown[] };
  // The first is the connection's own.
  const more = channels.slice(1).filter(Boolean).length - known;
  return more > 0 ? [`${more} channels on the fleet's connection`] : [];
}

/** Clients that were taken from a pool and not given back; `end` would wait for them for ever. */
export function lentClients(pool: pg.Pool): string[] {
  const lent = pool.totalCount - pool.idleCount;
  return lent > 0 ? [`${lent} clients of the fleet's pool`] : [];
}

/** Sessions of Postgres under this name. */
export async function openSessions(pool: pg.Pool, applicationName: string): Promise<string[]> {
  const { rows } = await pool.query<{ pid: number; query: string }>(
    "select pid, query from pg_stat_activity where application_name = $1",
    [applicationName],
  );
  return rows.map(({ pid, query }) => `session ${pid} of Postgres (${query.slice(0, 60)})`);
}

/** The broker's connections whose name holds the text; none are seen without the management API. */
export async function openConnections(
  managementUrl: string | undefined,
  text: string,
): Promise<string[]> {
  if (managementUrl === undefined) return [];
  const { origin, username, password } = new URL(managementUrl);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const response = await fetch(`${origin}/api/connections`, {
    headers: { authorization: `Basic ${btoa(credentials)}` },
  });
  const connections = (await response.json()) as {
    client_properties?: { connection_name?: string };
  }[];
  return connections.flatMap(({ client_properties: { connection_name: name = "" } = {} }) =>
    name.includes(text) ? [`broker connection "${name}"`] : [],
  );
}
