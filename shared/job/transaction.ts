/** The transaction that a job's own writes and its result commit in. */
import type { Tx } from "../engine/define-worker.ts";
import { isConnectionLoss, type Pool, type PoolClient } from "../stores/database.ts";
import { bounded } from "./result-rows.ts";

export interface OwnTransaction {
  /** For the handler, and for the commit step after it. */
  readonly tx: Tx;
  /** Whether the connection was lost under it. */
  lost(): boolean;
  /** Gives the connection back; with `discard` it is closed, which rolls back whatever is open. */
  release(discard: boolean): void;
}

export interface Transactions {
  begin(timeoutMs: number): Promise<OwnTransaction>;
}

const LOCK_TIMEOUT_MS = 2_000;

/**
 * @param limit transactions at once; fewer than the pool holds, or handlers that also read through
 *   `job.db` and group commits could wait for each other for ever.
 */
export function createTransactions(pool: Pool, limit: number): Transactions {
  let free = limit;
  const queue: (() => void)[] = [];

  async function take(): Promise<void> {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
  }
  function give(): void {
    const next = queue.shift();
    if (next === undefined) free++;
    else next();
  }

  return {
    async begin(timeoutMs) {
      await take();
      let client: PoolClient | undefined;
      try {
        client = await pool.connect();
        // One round trip. The server ends a transaction whose worker froze in it.
        await client.query(
          bounded(
            `begin; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local idle_in_transaction_session_timeout = ${timeoutMs + 5_000}`,
          ),
        );
        return own(client, give);
      } catch (error) {
        client?.release(true);
        give();
        throw error;
      }
    },
  };
}

function own(client: PoolClient, give: () => void): OwnTransaction {
  let released = false;
  let lost = false;
  const onError = () => {
    lost = true;
  };
  client.on("error", onError);
  const query = async (...args: unknown[]) => {
    if (released) throw new Error("the job's transaction has ended");
    try {
      return await Reflect.apply(client.query, client, args);
    } catch (error) {
      if (isConnectionLoss(error)) lost = true;
      throw error;
    }
  };
  return {
    tx: { query: query as Tx["query"] },
    lost: () => lost,
    release(discard) {
      if (released) return;
      released = true;
      client.off("error", onError);
      client.release(discard || lost);
      give();
    },
  };
}
