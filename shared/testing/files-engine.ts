/** An engine that keeps files as its input says, for tests of `job.files`. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { Reject } from "../engine/errors.ts";
import { file } from "../engine/file-schema.ts";
import { sweepFilesAction } from "../files/sweep-action.ts";

const Write = z.object({
  name: z.string().default("report.csv"),
  bytes: z.int().default(10),
  /** Between two pieces of 64 KiB. */
  pauseMs: z.int().default(0),
  contentType: z.string().optional(),
  expiresS: z.number().optional(),
  maxBytes: z.number().optional(),
  ending: z.enum(["return", "throw", "reject", "hang", "forget"]).default("return"),
  /** Counted runs that throw after the write, before one returns. */
  failures: z.int().default(0),
});

const Reference = z.object({
  $file: z.string(),
  bytes: z.number(),
  sha256: z.string().optional(),
  contentType: z.string().optional(),
});

const PIECE = Buffer.alloc(65_536, "tl-engine ");

/** Content of so many bytes, in pieces. */
export async function* content(bytes: number, pauseMs = 0) {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    if (pauseMs > 0) await sleep(pauseMs);
    yield PIECE.subarray(0, Math.min(left, PIECE.length));
  }
}

const NAME = "keeper";

export const filesEngine = defineWorker({
  name: NAME,
  concurrency: 16,
  timeoutMs: 5_000,
  maxAttempts: 2,
  files: { maxBytes: 64 * 1024 * 1024 },
  actions: {
    write: action({
      version: 1,
      input: Write,
      output: Reference,
      async handle({ name, bytes, pauseMs, ending, failures, ...options }, job) {
        const given = Object.fromEntries(
          Object.entries(options).filter(([, value]) => value !== undefined),
        );
        const writing = job.files.write(name, content(bytes, pauseMs), given);
        if (ending === "forget") return { $file: "none", bytes: 0 };
        const file = await writing;
        if (ending === "reject") throw new Reject("told to");
        if (ending === "throw" || job.attempt <= failures) throw new Error("told to throw");
        if (ending === "hang") await new Promise(() => {});
        return file;
      },
    }),
    read: action({
      version: 1,
      input: z.object({
        file: z.unknown(),
        as: z.enum(["text", "json", "stream", "head", "delete", "link"]).default("stream"),
        maxBytes: z.number().optional(),
        expiresS: z.number().optional(),
        downloadAs: z.string().optional(),
      }),
      output: z.unknown(),
      async handle({ file: given, as, maxBytes, ...link }, job) {
        const file = given as string;
        const limits = maxBytes === undefined ? {} : { maxBytes };
        switch (as) {
          case "text":
            return job.files.read(file).text(limits);
          case "json":
            return job.files.read(file).json(limits);
          case "head":
            return (await job.files.head(file)) ?? null;
          case "delete":
            await job.files.delete(file);
            return null;
          case "link":
            return job.files.linkToRead(file, link as object);
          default: {
            let bytes = 0;
            for await (const chunk of await job.files.read(file).stream(limits))
              bytes += chunk.length;
            return bytes;
          }
        }
      },
    }),
    "link-to-write": action({
      version: 1,
      input: z.object({
        name: z.string(),
        bytes: z.number(),
        contentType: z.string(),
        expiresS: z.number().optional(),
      }),
      output: z.unknown(),
      handle: ({ name, expiresS, ...options }, job) =>
        job.files.linkToWrite(name, { ...options, ...(expiresS !== undefined && { expiresS }) }),
    }),
    many: action({
      version: 1,
      input: z.object({ value: z.string(), isSpoilt: z.boolean().default(false) }),
      output: Reference,
      handleBatch: (jobs) =>
        Promise.all(
          jobs.map(async ({ input, files }) => {
            const file = await files.write("value.txt", input.value);
            if (input.isSpoilt) throw new Error("spoilt as told");
            return file;
          }),
        ),
    }),
    convert: action({
      version: 1,
      input: z.object({
        table: file({ maxBytes: 20 * 1024 * 1024, contentTypes: ["text/csv"] }).describe(
          "What to convert.",
        ),
        more: z.array(file()).default([]).describe("What comes after it."),
      }),
      output: z.object({ report: file().describe("All of it, in capitals."), bytes: z.number() }),
      async handle({ table, more }, job) {
        let bytes = 0;
        async function* all() {
          for (const part of [table, ...more])
            for await (const chunk of await part.stream()) {
              bytes += chunk.length;
              yield String(chunk).toUpperCase();
            }
        }
        const report = await job.files.write("report.csv", all(), { contentType: "text/csv" });
        return { report, bytes };
      },
    }),
    "sweep-files": sweepFilesAction,
  },
});

export default filesEngine;
