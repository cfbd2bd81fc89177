/** Waits for Postgres: one look at a time for all that waits, and word of it for the consumer and the probe. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { Queryable } from "../stores/database.ts";
import { bounded } from "./result-rows.ts";

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

export interface RecoveryOptions {
  pool: Queryable;
  log: Logger;
  /** Told when Postgres can't be used, and when it can again. */
  onOutage(down: boolean): void;
  /** Ends all waiting. */
  signal: AbortSignal;
}

export interface Recovery {
  /**
   * Resolves when Postgres can be written to again. Rejects when the signal aborts.
   * @param failures how often in a row the caller has met an outage, from 1: it waits the longer.
   */
  wait(error: unknown, failures: number): Promise<void>;
}

const delayMs = (failures: number) => Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS);

export function createRecovery({ pool, log, onOutage, signal }: RecoveryOptions): Recovery {
  let recovering: Promise<void> | undefined;

  /** A server that only reads, as after a failover, is down for us; so is one that took our right to write. */
  async function canWrite(): Promise<boolean> {
    const { rows } = await pool.query(
      bounded(
        "select current_setting('transaction_read_only') = 'off' and has_table_privilege('engine.results', 'insert') as can_write",
      ),
    );
    return rows[0]?.can_write === true;
  }

  /** One connection that broke is no outage: the first look tells. */
  async function recover(error: unknown): Promise<void> {
    let isDown = false;
    for (let looks = 1; !(await canWrite().catch(() => false)); looks++) {
      if (!isDown) {
        log.error({ err: error }, "postgres can't be used, holding results");
        onOutage(true);
        isDown = true;
      }
      await sleep(delayMs(looks), undefined, { signal });
    }
    if (!isDown) return;
    log.info("postgres can be used again");
    onOutage(false);
  }

  return {
    async wait(error, failures) {
      signal.throwIfAborted();
      recovering ??= recover(error).finally(() => {
        recovering = undefined;
      });
      await recovering;
      // Postgres answers, and what failed may fail all the same: not at once, then.
      await sleep(delayMs(failures), undefined, { signal });
    },
  };
}
