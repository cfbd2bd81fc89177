/** Two connections to the pool, on which a pooler gives itself away: it lends both the same connection of the server. */
import type { Pool, PoolClient } from "@tl-engine/shared/stores/database";

export interface TwoClients {
  one: PoolClient;
  other: PoolClient;
}

/** They are closed after it, with whatever was left on them. */
export async function withTwoClients<Value>(
  pool: Pool,
  use: (clients: TwoClients) => Promise<Value>,
): Promise<Value> {
  const [one, other] = await Promise.all([pool.connect(), pool.connect()]);
  try {
    return await use({ one, other });
  } finally {
    one.release(true);
    other.release(true);
  }
}

export async function serverPid(client: PoolClient): Promise<number> {
  const { rows } = await client.query("select pg_backend_pid() as pid");
  return Number(rows[0].pid);
}
