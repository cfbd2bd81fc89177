/** An engine's figures, as the annotations of its ScaledObject give them: what it does, and what a job of it costs. */
import { z } from "zod";
import type { Problem } from "../kubernetes/read/documents.ts";
import type { ScaledObject } from "./keda/scaled-object.ts";

const figure = z.coerce.number().nonnegative();

/** By their annotations, which begin with `tl-engine/`. */
const Figures = z.object({
  /** Measured: what one pod does at its CPU limit. */
  "jobs-per-second-per-replica": figure.positive(),
  /** Seconds that a job may wait behind others. */
  "target-wait-seconds": figure.positive(),
  /** Part of the fleet's jobs, as a weight beside those of the other engines; above 0. */
  "share-of-load": figure.positive(),
  /** Events that a job announces, on average. */
  "events-per-job": figure.default(0),
  /** Rows that a job adds to the engine's own tables, and the bytes that stay there of it. */
  "own-rows-per-job": figure.default(0),
  "own-bytes-per-job": figure.default(0),
  /** Months after which the engine's own purge takes them; 0: they stay for ever. */
  "own-retention-months": figure.default(0),
  /** Bytes that stay for ever all the same. */
  "own-bytes-per-job-kept": figure.default(0),
});

export interface EngineFigures {
  jobsPerSecond: number;
  targetWaitS: number;
  shareOfLoad: number;
  eventsPerJob: number;
  ownRowsPerJob: number;
  ownBytesPerJob: number;
  /** Infinity: for ever. */
  ownRetentionMonths: number;
  ownBytesPerJobKept: number;
}

const WANTED: Readonly<Record<string, string>> = {
  "jobs-per-second-per-replica": "what one pod does in a second, measured",
  "target-wait-seconds": "how many seconds a job may wait",
  "share-of-load":
    "its part of the fleet's jobs, beside the other engines' (a job in 1,000 is 0.001)",
};

/** Undefined, and each gap among the problems, where a figure is missing or no number. */
export function readFigures(
  { source }: ScaledObject,
  problems: Problem[],
): EngineFigures | undefined {
  const metadata = source.value.metadata as { annotations?: Record<string, unknown> } | undefined;
  const annotations = metadata?.annotations ?? {};
  const given = Object.keys(Figures.shape).map((key) => [key, annotations[`tl-engine/${key}`]]);
  const read = Figures.safeParse(Object.fromEntries(given));
  if (!read.success) {
    for (const { path } of read.error.issues) {
      const key = String(path[0]);
      problems.push({
        file: source.file,
        line: source.lineOf(["metadata", "annotations", `tl-engine/${key}`]),
        rule: "measured-figures",
        message: `the annotation tl-engine/${key} is no number ${WANTED[key] ? "above 0" : "from 0"}`,
        fix: `write ${WANTED[key] ?? "a number, or nothing for 0"} there, in quotes`,
      });
    }
    return undefined;
  }
  const { data } = read;
  return {
    jobsPerSecond: data["jobs-per-second-per-replica"],
    targetWaitS: data["target-wait-seconds"],
    shareOfLoad: data["share-of-load"],
    eventsPerJob: data["events-per-job"],
    ownRowsPerJob: data["own-rows-per-job"],
    ownBytesPerJob: data["own-bytes-per-job"],
    ownRetentionMonths: data["own-retention-months"] || Infinity,
    ownBytesPerJobKept: data["own-bytes-per-job-kept"],
  };
}
