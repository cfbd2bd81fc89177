/** A job that waits for its time: as it comes from the exchange for later, as it is kept, and as it goes to its engine. */
import { z } from "zod";
import { JOB_TYPE } from "./spec.ts";

const MAX_MS = Date.UTC(9999, 11, 31);
/** Postgres' text holds any character but this one, which no JSON text has unescaped. */
const text = (most: number) =>
  z
    .string()
    .max(most)
    .refine((value) => !value.includes("\0"), { error: "must not hold a NUL" });
const count = z.int().min(0).max(1_000_000);
const instant = z.number().min(-MAX_MS).max(MAX_MS).transform(Math.round);

export const EngineName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/)
  .describe("The engine whose job it is.");
export const JobId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/)
  .describe("The job's id.");

/** What the runtime makes of a delivery from the exchange for later. */
export const HeldJob = z.object({
  engine: EngineName,
  lane: z.enum(["interactive", "bulk"]).describe("The queue of its engine that it goes to."),
  id: JobId,
  type: z.string().max(90).regex(JOB_TYPE).describe("`<engine>.<action>.v<N>`."),
  runAtMs: instant.describe("When it is to run, epoch milliseconds."),
  generation: count.describe("How often it was replayed."),
  attempt: count.describe("Its counted run."),
  crashes: count.describe("How many workers it took with it."),
  returns: count.describe("How often the broker took its messages back."),
  publisher: text(63).optional().describe("The broker user that published it."),
  appId: text(255).optional().describe("The program that published it."),
  replyTo: text(255).optional().describe("Queue of its reply."),
  correlationId: text(1_024).optional().describe("Its caller's own mark."),
  deadlineMs: instant.optional().describe("When its caller stops waiting, epoch milliseconds."),
  traceparent: text(255).optional().describe("The trace that it belongs to."),
  inputHash: text(64).describe("SHA-256 of its input's canonical JSON, base64url."),
  body: text(16_777_216).describe("Its input, as JSON text."),
});
export type HeldJob = z.output<typeof HeldJob>;

/** A job that goes to its engine now. */
export interface LaterJob extends Omit<HeldJob, "runAtMs"> {
  /** A slot's: it is published as the scheduler's own. */
  isOwn?: boolean;
  /** Its publisher took it back: its engine ends it as `cancelled`, unrun. */
  isCancelled?: boolean;
}

/** What became of it. `unroutable`: no queue takes it. `refused`: not now. `unconfirmed`: nobody knows. */
export type PublishedLater = "routed" | "unroutable" | "refused" | "unconfirmed";
