/** What a worker costs, read from outside in /proc, so that all contestants are measured alike and none reports on itself. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface Usage {
  /** CPU time (user and system) of the process, its threads and its descendants, since they started. */
  cpuUs: number;
  /** Resident memory now, summed over the descendants (pages that they share count once each). */
  rssMb: number;
  /** The largest that it has been. */
  peakRssMb: number;
}

/** Whether this machine can tell; only Linux has /proc. */
export const canMeasureUsage = existsSync("/proc/self/schedstat");

export function readUsage(pid: number): Usage {
  const usage = { cpuUs: 0, rssMb: 0, peakRssMb: 0 };
  if (!canMeasureUsage) return usage;
  for (const each of family(pid)) {
    usage.cpuUs += cpuUs(each);
    const status = readFileSync(`/proc/${each}/status`, "utf8");
    usage.rssMb += statusKb(status, "VmRSS") / 1024;
    usage.peakRssMb += statusKb(status, "VmHWM") / 1024;
  }
  return usage;
}

/** Nanoseconds on a CPU, summed over the threads: finer than the 10 ms ticks of /proc/<pid>/stat. */
function cpuUs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [onCpu = "0"] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    nanoseconds += Number(onCpu);
  }
  return nanoseconds / 1000;
}

function statusKb(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
}

/** The process and all of its descendants. */
function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const parent = parentOf(pid);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function parentOf(pid: number): number | undefined {
  try {
    // The name, in brackets, may contain anything; the parent's id is the second field after it.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined; // it ended meanwhile
  }
}
