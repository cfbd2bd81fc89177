/** The id of a digest's timer, which makes a timer that is set twice one job. */
import { createHash } from "node:crypto";

/** What an id may consist of, with room for what stands around a receiver's. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;

/** `<receiver>:<window>`; a receiver's id that no job's may contain is hashed. */
export function digestJobId(receiverId: string, window: number, more?: string): string {
  const hash = () => `x-${createHash("sha256").update(receiverId).digest("hex")}`;
  const receiver = PLAIN.test(receiverId) ? receiverId : hash();
  return more === undefined ? `${receiver}:${window}` : `${receiver}:${window}:${more}`;
}

/** What sets a timer: a job of the engine's own that is published at a time, if and when this one's result commits. */
export interface TimerJob {
  later(action: string, input: unknown, options: { id: string; runAt: Date }): void;
}

/** A job that must run at a time. */
export interface DigestTimer {
  id: string;
  runAt: Date;
  input: { receiverId: string; window: number };
}

export function setTimers(job: TimerJob, timers: readonly DigestTimer[]): void {
  for (const { id, runAt, input } of timers) job.later("digest", input, { id, runAt });
}
