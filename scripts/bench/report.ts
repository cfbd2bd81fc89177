/** Turns the measurements into a table, a JSON file and the last line. */

import { median } from "../show/statistics.ts";
import type { ColdStartResult } from "./cold-start.ts";
import type { EngineMeasurement } from "./engines.ts";
import type { BenchOptions, PeerName } from "./options.ts";
import type { Latency, RpcResult } from "./rpc.ts";
import type { Measurement, Rounds } from "./throughput.ts";

export interface PeerSummary {
  name: PeerName;
  does: string;
  jobsPerSecond: number;
  slowest: number;
  fastest: number;
  cpuUsPerJob: number;
  peakRssMb: number;
  /** Median over the rounds of the engine's jobs/s by this peer's of the same round. */
  engineRatio: number | undefined;
  rounds: Measurement[];
}

export interface BenchResult {
  at: string;
  machine: { cpu: string; cpus: number; node: string; broker: string };
  options: BenchOptions;
  peers: PeerSummary[];
  leftOut: string[];
  rpc: RpcResult | undefined;
  coldStart: ColdStartResult | undefined;
  engines: EngineMeasurement[] | undefined;
}

export function summarise(rounds: Rounds, does: Map<PeerName, string>): PeerSummary[] {
  const engine = rounds.get("tl-engine");
  return [...rounds].map(([name, measurements]) => {
    const speeds = measurements.map(({ jobsPerSecond }) => jobsPerSecond);
    const ratios = speeds.map((speed, round) => (engine?.[round]?.jobsPerSecond ?? NaN) / speed);
    return {
      name,
      does: does.get(name) ?? "",
      jobsPerSecond: median(speeds),
      slowest: Math.min(...speeds),
      fastest: Math.max(...speeds),
      cpuUsPerJob: median(measurements.map(({ cpuUsPerJob }) => cpuUsPerJob)),
      peakRssMb: median(measurements.map(({ peakRssMb }) => peakRssMb)),
      engineRatio: engine ? median(ratios) : undefined,
      rounds: measurements,
    };
  });
}

/** The table and the figures below it. */
export function describe(result: BenchResult): string[] {
  const { peers, leftOut, rpc, coldStart, engines = [] } = result;
  const lines = [
    "",
    row("", "jobs/s", "min–max", "CPU µs/job", "peak RSS", "engine ×"),
    ...peers.map((peer) =>
      row(
        peer.name,
        peer.jobsPerSecond.toFixed(0),
        `${peer.slowest.toFixed(0)}–${peer.fastest.toFixed(0)}`,
        peer.cpuUsPerJob.toFixed(1),
        `${peer.peakRssMb.toFixed(0)} MB`,
        peer.engineRatio?.toFixed(2) ?? "",
        peer.does,
      ),
    ),
    ...leftOut.map((name) => row(name, "left out: it is not installed")),
    "",
  ];
  if (rpc) {
    const of = (side: Latency) =>
      `p50 ${side.p50Ms.toFixed(2)} ms, p99 ${side.p99Ms.toFixed(2)} ms`;
    for (const [name, { raw, other, ratio }] of [
      ["tl-engine", rpc.engine],
      ["naive", rpc.naive],
    ] as const)
      lines.push(
        `RPC, one in flight: raw ${of(raw)}; ${name} ${of(other)}; ${ratio.toFixed(2)} × raw`,
      );
    lines.push(`Idle RSS of a connected worker: ${rpc.idleRssMb.toFixed(1)} MB`);
  }
  if (coldStart) {
    const { bareMs, engineMs, ratio } = coldStart;
    lines.push(
      `Cold start to the first job done: bare Node ${bareMs.toFixed(0)} ms, tl-engine ${engineMs.toFixed(0)} ms; ${ratio.toFixed(2)} ×`,
    );
  }
  for (const { engine, jobsPerSecond, cpuUsPerJob, peakRssMb } of engines) {
    lines.push(
      `${engine}, whole fleet path: ${jobsPerSecond.toFixed(0)} jobs/s, ${cpuUsPerJob.toFixed(1)} µs CPU each, peak RSS ${peakRssMb.toFixed(0)} MB`,
    );
  }
  return lines;
}

const COLUMNS = [10, 8, 15, 11, 9, 9];

function row(first: string, ...cells: string[]): string {
  const padded = cells.map((cell, index) => cell.padStart(COLUMNS[index + 1] ?? 0));
  return [first.padEnd(COLUMNS[0] ?? 0), ...padded].join("  ").trimEnd();
}

/** A line that scripts read for each engine that was measured. */
export const engineLines = ({ engines = [] }: BenchResult) =>
  engines.map(
    ({ engine, jobsPerSecond, cpuUsPerJob, peakRssMb }) =>
      `${engine}: jobs_per_second=${jobsPerSecond.toFixed(0)} cpu_us_per_job=${cpuUsPerJob.toFixed(1)} peak_rss_mb=${peakRssMb.toFixed(0)}`,
  );

/** The line that scripts read; a part that did not run is `n/a`. */
export function lastLine({ peers, rpc, coldStart }: BenchResult): string {
  const peer = (name: PeerName) => peers.find((each) => each.name === name);
  const figures: [string, number | undefined, number][] = [
    ["raw_ratio", peer("raw")?.engineRatio, 2],
    ["naive_ratio", peer("naive")?.engineRatio, 2],
    ["bullmq_ratio", peer("bullmq")?.engineRatio, 2],
    ["celery_ratio", peer("celery")?.engineRatio, 2],
    ["cpu_us_per_job", peer("tl-engine")?.cpuUsPerJob, 1],
    ["rpc_ratio", rpc?.engine.ratio, 2],
    ["cold_start_ratio", coldStart?.ratio, 2],
    ["idle_rss_mb", rpc?.idleRssMb, 1],
  ];
  const text = figures.map(([name, value, digits]) => `${name}=${value?.toFixed(digits) ?? "n/a"}`);
  return `bench: ${text.join(" ")}`;
}
