/** What Postgres, a pooler before it, or the driver says with an error. */
import type pg from "pg";
import { reachOf } from "../process/reach.ts";
import { ChannelBindingMissing } from "../wire/channel-binding.ts";
import { isClosedPool, isConnectionText } from "./pg-insides.ts";

export type DatabaseTrouble =
  /** Postgres can't be used now, whatever it is asked: keep what is computed and try again. */
  | "outage"
  /** Somebody else holds a row, or waits for ours: split, so that others go on. */
  | "contention"
  /** These very values can't be stored. */
  | "bad-data"
  /** This statement is wrong here, or not allowed: a handler's mistake; of our own statements, a changed configuration. */
  | "refused"
  /** We closed the pool ourselves: nothing comes back. */
  | "closed"
  /** Anything else: neither the values nor the server are known to be at fault. */
  | "other";

// SQLSTATEs, and the two first characters of their classes, from Appendix A of the Postgres manual.
const OUTAGE = new Set([
  "08", // connection exception
  "28", // invalid authorization: a password that changed, a role that may not log in
  "53", // insufficient resources: connections, disk, memory
  "58", // system error: the server can't read or write its files
  "F0", // its configuration is broken
  "25006", // read only: a standby, or a primary that was demoted
  "25P03", // the session was ended while idle in its transaction: its worker was frozen
  "3D000", // no such database
  "40003", // whether the statement completed is unknown
  "57P01", // shut down by an administrator
  "57P02", // shut down after a crash
  "57P03", // starting up, shutting down, recovering
  "57P04", // the database was dropped
  "57P05", // the session was idle for too long
]);
const CONTENTION = new Set([
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available within lock_timeout
]);
const BAD_DATA = new Set([
  "21", // cardinality: twice in one command
  "22", // data exception
  "23", // integrity constraint
  "54", // program limit: too long for a column, an index, a command
]);
const REFUSED = new Set([
  "0A", // feature not supported
  "3F", // no such schema
  "42", // syntax, unknown names, insufficient privilege
]);
// Within the classes above: the limit of one session's temporary files, which one statement exceeds.
const OTHER = new Set(["53400"]);

const inSet = (set: Set<string>, code: string) => set.has(code) || set.has(code.slice(0, 2));

/** Tells by SQLSTATE, by Node's code, or by the driver's words. */
export function readTrouble(error: unknown): DatabaseTrouble {
  if (!(error instanceof Error)) return "other";
  if (isClosedPool(error)) return "closed";
  if (reachOf(error) !== undefined || error instanceof ChannelBindingMissing) return "outage";
  // What V8 says of values that no text can hold: the driver never got to send them.
  if (error instanceof RangeError || error instanceof TypeError) return "bad-data";
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (typeof code !== "string") return isConnectionText(error) ? "outage" : "other";
  // FATAL and PANIC end the session, or refuse it from the start: also 42501 for want of CONNECT.
  if (severity === "FATAL" || severity === "PANIC") return "outage";
  if (OTHER.has(code)) return "other";
  if (code === "08P01") return readProtocol(error);
  if (inSet(CONTENTION, code)) return "contention";
  if (inSet(OUTAGE, code)) return "outage";
  if (inSet(BAD_DATA, code)) return "bad-data";
  if (inSet(REFUSED, code)) return "refused";
  return code.startsWith("XX") ? readInternal(error) : "other";
}

/** Postgres says which of its routines failed; whoever stands in front of it does not. */
const isOfPostgres = (error: Error) => (error as pg.DatabaseError).routine !== undefined;

/** PgBouncer's only code, for all its own troubles; of Postgres, a statement whose parameters are miscounted. */
const readProtocol = (error: Error): DatabaseTrouble =>
  isOfPostgres(error) ? "refused" : "outage";

/** XX000 is what poolers in front of Postgres (Neon's, Supabase's) answer when they can't reach it. */
function readInternal(error: Error): DatabaseTrouble {
  if (!isOfPostgres(error)) return "outage";
  // A value beyond 1 GB; Postgres does not translate its internal errors.
  if (error.message.startsWith("invalid memory alloc request size")) return "bad-data";
  return "other";
}

/**
 * Whether lock_timeout passed before the statement came to any row: somebody holds the whole table, so no row is to
 * blame. Of a row Postgres says where it waited.
 */
export const isTableLock = (error: unknown): boolean => {
  const { code, where } = Object(error);
  return code === "55P03" && where === undefined;
};

/**
 * What an error of one of our own statements means. They are known to be right: where they are refused, the
 * configuration changed under us (a right revoked, a schema gone), and where Postgres is at a loss, it is at fault.
 */
export function troubleOf(error: unknown): DatabaseTrouble {
  const trouble = readTrouble(error);
  if (trouble === "refused") return "outage";
  const { code } = Object(error);
  // Cancelled, by a person or by statement_timeout: fewer rows may pass in time, and no row is to blame.
  if (code === "57014") return "contention";
  return trouble === "other" && String(code).startsWith("XX") ? "outage" : trouble;
}

/** What no session can be told of itself. Not 57P01: a parallel worker that is shut down makes an ERROR of it. */
const OF_A_CONNECTION = new Set(["08", "28", "3D000"]);

/**
 * Postgres itself says so, and goes on with the session, which these codes never let it: it tells of another
 * server (postgres_fdw, dblink), or a function of the engine raised it. Only the English word is certain.
 */
function isOfAnotherServer(error: unknown): boolean {
  const { code, severity } = error as pg.DatabaseError;
  if (severity !== "ERROR" || !isOfPostgres(error as Error)) return false;
  return code !== undefined && inSet(OF_A_CONNECTION, code);
}

/** Whether an error that a handler met says that Postgres can't be used now, and not that its SQL is wrong. */
export const isConnectionLoss = (error: unknown): boolean =>
  readTrouble(error) === "outage" && !isOfAnotherServer(error);
