/** Two connections to the pool, on which a pooler gives itself away: it lends both the same connection of the server. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Pool, PoolClient } from "@tl-engine/shared/stores/database";

export interface TwoClients {
  one: PoolClient;
  other: PoolClient;
}

/** Who looks at a pool in this way looks alone, or two would wait for each other's second connection. */
const lookers = new WeakMap<Pool, Promise<unknown>>();

/** They are closed after it, with whatever was left on them. */
export function withTwoClients<Value>(
  pool: Pool,
  use: (clients: TwoClients) => Promise<Value>,
): Promise<Value> {
  const look = async () => {
    const [one, other] = await Promise.all([pool.connect(), pool.connect()]);
    try {
      return await use({ one, other });
    } finally {
      one.release(true);
      other.release(true);
    }
  };
  const looking = (lookers.get(pool) ?? Promise.resolve()).then(look, look);
  lookers.set(
    pool,
    looking.catch(() => {}),
  );
  return looking;
}

export async function serverPid(client: PoolClient): Promise<number> {
  const { rows } = await client.query("select pg_backend_pid() as pid");
  return Number(rows[0].pid);
}

const TRIES = 8;
const PAUSE_MS = 40;

/**
 * Looks again while the pooler lends what others have just given back.
 * @returns undefined where it was never seen.
 */
export async function seenOnce<Value>(
  look: () => Promise<Value | undefined>,
): Promise<Value | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await sleep(PAUSE_MS);
  }
  return undefined;
}
