/** Reads the CPU profile of a worker and says where its time went, by file and by function. */
import { readdirSync, readFileSync } from "node:fs";

interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

/** The lines to print for the newest profile in the folder. */
export function describeProfile(folder: string, rows = 35): string[] {
  const newest = readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .toSorted()
    .at(-1);
  if (!newest) return [`no profile in ${folder}`];
  const profile: CpuProfile = JSON.parse(readFileSync(`${folder}/${newest}`, "utf8"));
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, number>();
  const byFile = new Map<string, number>();
  let totalUs = 0;
  profile.samples.forEach((id, index) => {
    const frame = frames.get(id);
    // The first half holds the start and the warm-up.
    if (index < profile.samples.length / 2 || !frame || frame.functionName === "(idle)") return;
    const selfUs = profile.timeDeltas[index] ?? 0;
    const file = shortFile(frame.url);
    const line = frame.url ? `:${frame.lineNumber + 1}` : "";
    totalUs += selfUs;
    add(byFile, file || frame.functionName, selfUs);
    add(byFunction, `${frame.functionName || "(anonymous)"}  ${file}${line}`, selfUs);
  });
  return [
    `Self time by file, of ${(totalUs / 1000).toFixed(0)} ms busy in the second half (${newest}):`,
    ...top(byFile, totalUs, rows),
    "Self time by function:",
    ...top(byFunction, totalUs, rows),
  ];
}

const add = (sums: Map<string, number>, key: string, value: number) =>
  sums.set(key, (sums.get(key) ?? 0) + value);

/** `pg/lib/client.js`, `shared/job/commit.ts`, `node:net`. */
function shortFile(url: string): string {
  const path = url.split("/node_modules/").at(-1) ?? "";
  return path.replace(/^file:.*\/(?=(shared|workers|scripts)\/)/, "");
}

function top(sums: Map<string, number>, totalUs: number, rows: number): string[] {
  return [...sums]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, rows)
    .map(([key, us]) => `${((us / totalUs) * 100).toFixed(1).padStart(6)} %  ${key}`);
}
