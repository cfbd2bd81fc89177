/** Ends a test fleet: its workers, then all that it left on the servers; and says what was not given back. */
import type { ChannelModel } from "amqplib";
import type pg from "pg";
import type { Config } from "../process/config.ts";
import { removeFleet } from "../services/remove-fleet.ts";
import type { RunningWorker } from "../worker.ts";
import {
  Leaked,
  lentClients,
  openChannels,
  openConnections,
  openSessions,
  whatStays,
} from "./leak-check.ts";
import type { Removable } from "./left-fleets.ts";

export interface OpenFleet {
  config: Config;
  model: ChannelModel;
  pool: pg.Pool;
  workers: RunningWorker[];
  removable: Removable;
  noteRemoved(): void;
  /** Handles of this process that came since the fleet was opened and did not go. */
  openHandles(): Promise<string[]>;
}

const STOP_WITHIN_MS = 30_000;
const GIVEN_BACK_WITHIN_MS = 1_000;
const SESSIONS_GONE_WITHIN_MS = 5_000;
/** The management API's list is some seconds old. */
const CONNECTIONS_GONE_WITHIN_MS = 10_000;

/** @throws {Leaked} */
export async function closeFleet(fleet: OpenFleet): Promise<void> {
  const { config, model, pool } = fleet;
  const prefix = config.ENGINE_PREFIX;
  const leaks = await stopWorkers(fleet.workers);
  const lent = await whatStays(() => lentClients(pool), GIVEN_BACK_WITHIN_MS);
  leaks.push(...openChannels(model, 1), ...lent);
  // Its own pool is asked, and waits for its clients at its end.
  if (lent.length === 0) {
    const sessions = () => openSessions(pool, `worker of ${prefix}`);
    leaks.push(...(await whatStays(sessions, SESSIONS_GONE_WITHIN_MS)));
    await pool.end();
  }
  await model.close().catch(() => {});
  await removeFleet({ ...fleet.removable, urls: config });
  fleet.noteRemoved();
  leaks.push(...(await fleet.openHandles()));
  const connections = () => openConnections(config.RABBITMQ_MANAGEMENT_URL, prefix);
  leaks.push(...(await whatStays(connections, CONNECTIONS_GONE_WITHIN_MS)));
  if (leaks.length > 0) throw new Leaked(leaks);
}

/** A pool's client that was not given back keeps a worker from stopping. */
async function stopWorkers(workers: RunningWorker[]): Promise<string[]> {
  const late = Promise.withResolvers<string[]>();
  const timer = setTimeout(
    () => late.resolve([`a worker that did not stop within ${STOP_WITHIN_MS} ms`]),
    STOP_WITHIN_MS,
  );
  const stopped = Promise.all(workers.map((worker) => worker.stop())).then((): string[] => []);
  return Promise.race([stopped, late.promise]).finally(() => clearTimeout(timer));
}
