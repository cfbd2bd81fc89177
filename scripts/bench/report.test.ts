import { expect, test } from "vitest";
import { drawChart } from "./chart.ts";
import { readOptions } from "./options.ts";
import { type BenchResult, describe, engineLines, lastLine, summarise } from "./report.ts";
import type { Rounds } from "./throughput.ts";

const measured = (...speeds: number[]) =>
  speeds.map((jobsPerSecond) => ({ jobsPerSecond, cpuUsPerJob: 50, peakRssMb: 90 }));

function resultOf(rounds: Rounds, extras: Partial<BenchResult> = {}): BenchResult {
  return {
    at: "2026-01-02T03:04:05.000Z",
    machine: { cpu: "A <fast> one", cpus: 2, node: "24.0.0", broker: "RabbitMQ 3.10.8" },
    options: readOptions({}),
    peers: summarise(rounds, new Map([["raw", "the limit"]])),
    leftOut: [],
    rpc: undefined,
    coldStart: undefined,
    engines: undefined,
    ...extras,
  };
}

test("a ratio is the median of the ratios within each round", () => {
  const rounds: Rounds = new Map([
    ["raw", measured(10_000, 5_000, 8_000)],
    ["tl-engine", measured(9_000, 4_500, 8_000)],
  ]);
  expect(lastLine(resultOf(rounds))).toBe(
    "bench: raw_ratio=0.90 naive_ratio=n/a bullmq_ratio=n/a celery_ratio=n/a cpu_us_per_job=50.0 rpc_ratio=n/a cold_start_ratio=n/a idle_rss_mb=n/a",
  );
});

test("a peer that is not installed is named", () => {
  const result = resultOf(new Map(), { leftOut: ["celery"] });
  expect(describe(result).join("\n")).toMatch(/celery +left out/);
});

test("each engine that was measured has a line, and none where none was", () => {
  const [measurement] = measured(300);
  const engines = [{ engine: "notifications", ...(measurement ?? expect.fail()) }];
  expect(engineLines(resultOf(new Map(), { engines }))).toEqual([
    "notifications: jobs_per_second=300 cpu_us_per_job=50.0 peak_rss_mb=90",
  ]);
  expect(engineLines(resultOf(new Map()))).toEqual([]);
});

test("the chart holds every peer and escapes what it did not choose", () => {
  const rounds: Rounds = new Map([
    ["raw", measured(10_000)],
    ["tl-engine", measured(9_000)],
  ]);
  const chart = drawChart(resultOf(rounds));
  expect(chart).toContain(">raw</text>");
  expect(chart).toContain("A &lt;fast&gt; one");
  expect(chart).not.toMatch(/NaN|undefined/);
});

test("an unknown name in ONLY is refused", () => {
  expect(() => readOptions({ ONLY: "raw,turbo" })).toThrow(/turbo is none of/);
  expect(() => readOptions({ JOBS: "many" })).toThrow(/JOBS must be/);
  expect(readOptions({ PROFILE: "1" }).peers).toEqual(["tl-engine"]);
});
