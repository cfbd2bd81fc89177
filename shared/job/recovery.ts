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

/** One statement of ours, or one job, that meets outages in a row. */
export interface Struggle {
  /**
   * Resolves when Postgres can be written to again, later each time. Rejects when the signal aborts.
   * @param isOurs that it was a statement of ours that failed, which is the same for all jobs: where it fails again
   *   though Postgres can be written to, a right or a table is missing, and nothing more is consumed until it ends.
   */
  wait(error: unknown, isOurs: boolean): Promise<void>;
  /** To be called whatever became of it. */
  end(): void;
}

export interface Recovery {
  begin(): Struggle;
}

const delayMs = (failures: number) => Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), MAX_DELAY_MS);

export function createRecovery({ pool, log, onOutage, signal }: RecoveryOptions): Recovery {
  let recovering: Promise<void> | undefined;
  let isAway = false;
  let stuck = 0;
  let isDown = false;

  /** A server that only reads, as after a failover, is down for us; so is one that took our right to write. */
  async function canWrite(): Promise<boolean> {
    const { rows } = await pool.query(
      bounded(
        "select current_setting('transaction_read_only') = 'off' and has_any_column_privilege('engine.results', 'insert') as can_write",
      ),
    );
    return rows[0]?.can_write === true;
  }

  function tell(error: unknown): void {
    const wasDown = isDown;
    isDown = isAway || stuck > 0;
    if (isDown === wasDown) return;
    if (isDown) log.error({ err: error }, "postgres can't be used, holding results");
    else log.info("postgres can be used again");
    onOutage(isDown);
  }

  /** One connection that broke is no outage: the first look tells. */
  async function recover(error: unknown): Promise<void> {
    for (let looks = 1; !(await canWrite().catch(() => false)); looks++) {
      isAway = true;
      tell(error);
      await sleep(delayMs(looks), undefined, { signal });
    }
    isAway = false;
    tell(error);
  }

  return {
    begin() {
      let failures = 0;
      let isStuck = false;
      return {
        async wait(error, isOurs) {
          signal.throwIfAborted();
          failures++;
          if (isOurs && failures > 1 && !isStuck) {
            isStuck = true;
            stuck++;
            tell(error);
          }
          recovering ??= recover(error).finally(() => {
            recovering = undefined;
          });
          await recovering;
          // Postgres answers, and what failed may fail all the same: not at once, then.
          await sleep(delayMs(failures), undefined, { signal });
        },
        end() {
          if (!isStuck) return;
          isStuck = false;
          stuck--;
          tell(undefined);
        },
      };
    },
  };
}
