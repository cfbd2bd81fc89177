/** The connections that jobs use: the transaction that a job's own writes and its result commit in, and reads beside it. */
import type { Tx } from "../engine/define-worker.ts";
import { isConnectionLoss, type Pool, type PoolClient } from "../stores/database.ts";
import { bounded } from "./result-rows.ts";
import { Slots } from "./slots.ts";

export interface OwnTransaction {
  /** For the handler, and for the commit step after it. */
  readonly tx: Tx;
  /** Whether the connection was lost under it. */
  lost(): boolean;
  /** Gives the connection back; with `discard` it is closed, which rolls back whatever is open. */
  release(discard: boolean): void;
}

/** Stands still while a job waits for a resource of ours. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

export interface Connections {
  /** I4. Waits for its turn as long as it takes: that is not the handler's time. */
  begin(timeoutMs: number, clock?: Pausable): Promise<OwnTransaction>;
  /** One statement outside of any transaction; `args` are those of pg's `query`. */
  query(args: unknown[], clock?: Pausable): Promise<unknown>;
}

export interface ConnectionOptions {
  pool: Pool;
  /** Connections of the pool. */
  poolMax: number;
  /** Transactions at once; at least one connection fewer than the pool has, which group commits and reads need. */
  transactions: number;
  /** Told how long a job waited for a connection of ours, milliseconds. */
  onWaited(waitedMs: number): void;
}

const LOCK_TIMEOUT_MS = 2_000;

/**
 * I4. Jobs queue here and not in the pool, whose queue has a time limit that would take a busy worker for a lost
 * server. A job that holds a transaction may read as well: reads always have a connection that no transaction
 * can take, so nobody waits for somebody who waits for them. Both together never ask the pool for more than it has;
 * what a read gives back goes to a transaction first, or a stream of reads would keep them all out.
 */
export function createConnections(options: ConnectionOptions): Connections {
  const { pool, poolMax, onWaited } = options;
  const transactions: Slots = new Slots(() =>
    Math.min(options.transactions, poolMax - 1 - reads.taken),
  );
  const reads: Slots = new Slots(() => Math.max(1, poolMax - 1 - transactions.taken));

  /** A slot, and then a connection, which a pool that is cold first has to open. */
  async function connect(slots: Slots, clock: Pausable | undefined): Promise<PoolClient> {
    clock?.pause();
    const askedAtMs = performance.now();
    try {
      await slots.take();
      return await pool.connect();
    } catch (error) {
      give(slots);
      throw error;
    } finally {
      onWaited(performance.now() - askedAtMs);
      clock?.resume();
    }
  }

  function give(slots: Slots): void {
    slots.give();
    transactions.admit();
    reads.admit();
  }

  async function begin(timeoutMs: number, clock?: Pausable): Promise<OwnTransaction> {
    const client = await connect(transactions, clock);
    clock?.pause();
    try {
      // One round trip. The server ends a transaction whose worker froze in it.
      await client.query(
        bounded(
          `begin; set local lock_timeout = ${LOCK_TIMEOUT_MS}; set local idle_in_transaction_session_timeout = ${timeoutMs + 5_000}`,
        ),
      );
      return own(client, () => give(transactions));
    } catch (error) {
      client.release(true);
      give(transactions);
      throw error;
    } finally {
      clock?.resume();
    }
  }

  async function query(args: unknown[], clock?: Pausable): Promise<unknown> {
    const client = await connect(reads, clock);
    let failed: Error | undefined;
    try {
      return await Reflect.apply(client.query, client, args);
    } catch (error) {
      failed = error as Error;
      throw error;
    } finally {
      client.release(failed !== undefined && isConnectionLoss(failed));
      give(reads);
    }
  }

  return { begin, query };
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
