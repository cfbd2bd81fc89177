/** A job that is to wait for its time, as the runtime reads it from the exchange for later. */
import { randomUUID } from "node:crypto";
import type { HeldJob as Held } from "@tl-engine/shared";
import { z } from "zod";

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

/**
 * What the runtime alone knows: an action is there for everybody, and whoever sent it a job could say whose that is and
 * which run. Read again after a restart, a delivery gets the new one.
 */
const SEAL = randomUUID();
export const sealed = (held: Held) => ({ ...held, seal: SEAL });

/** What the runtime makes of a delivery from the exchange for later; nobody else can make one. */
export const HeldJob = z.object({
  seal: z.custom((seal) => seal === SEAL, { error: "is the runtime's: give a job x-run-at" }),
  engine: EngineName,
  lane: z.enum(["interactive", "bulk"]).describe("The queue of its engine that it goes to."),
  id: JobId,
  type: text(255).describe("`<engine>.<action>.v<N>`, or an event's that its engine put off."),
  runAtMs: instant.describe("When it is to run, epoch milliseconds."),
  generation: count.default(0).describe("How often it was replayed."),
  attempt: count.default(1).describe("Its counted run."),
  crashes: count.default(0).describe("How many workers it took with it."),
  returns: count.default(0).describe("How often the broker took its messages back."),
  publisher: text(63).optional().describe("The broker user that published it."),
  appId: text(255).optional().describe("The program that published it."),
  replyTo: text(255).optional().describe("Queue of its reply."),
  correlationId: text(1_024).optional().describe("Its caller's own mark."),
  deadlineMs: instant.optional().describe("When its caller stops waiting, epoch milliseconds."),
  traceparent: text(255).optional().describe("The trace that it belongs to."),
  inputHash: text(64).describe("SHA-256 of its input's canonical JSON, base64url."),
  body: text(16_777_216).describe("Its input, as JSON text."),
});
export type HeldJob = Omit<z.output<typeof HeldJob>, "seal">;
