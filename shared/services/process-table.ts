/** Reads the system's processes: who is whose child, and whether a pid is still the process that we mean. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

interface ProcessEntry {
  pid: number;
  parentPid: number;
  groupId: number;
  /** Differs for every process that ever had this pid. */
  identity: string;
  zombie: boolean;
}

/** Linux: from /proc, so that no `ps` is needed in a slim container. */
function readProc(pid: string | number): ProcessEntry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold anything; what follows is separated by spaces, from field 3 on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return {
      pid: Number(pid),
      parentPid: Number(fields[1]),
      groupId: Number(fields[2]),
      identity: `${boot}/${fields[19]}`,
      zombie: fields[0] === "Z" || fields[0] === "X",
    };
  } catch {
    return undefined;
  }
}

function readPs(args: string[]): ProcessEntry[] {
  let output: string;
  try {
    output = execFileSync("ps", [...args, "-o", "pid=,ppid=,pgid=,stat=,lstart="], {
      encoding: "utf8",
    });
  } catch {
    return []; // ps exits with 1 when it finds no such process.
  }
  return output
    .trim()
    .split("\n")
    .map((line) => {
      const [pid, parentPid, groupId, state = "", ...started] = line.trim().split(/\s+/);
      return {
        pid: Number(pid),
        parentPid: Number(parentPid),
        groupId: Number(groupId),
        identity: started.join(" "),
        zombie: state.startsWith("Z"),
      };
    });
}

const onLinux = process.platform === "linux";

function allProcesses(): ProcessEntry[] {
  if (!onLinux) return readPs(["-A"]);
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => readProc(pid) ?? []);
}

/** Names the process behind a pid, so that a reused pid is told apart; undefined when it does not run. */
export function processIdentity(pid: number): string | undefined {
  const entry = onLinux ? readProc(pid) : readPs(["-p", String(pid)])[0];
  return entry && !entry.zombie ? entry.identity : undefined;
}

/** The process, all that it started, and all of its group: what a signal must reach. */
export function processTree(pid: number): number[] {
  const entries = allProcesses().filter((entry) => !entry.zombie);
  const tree = new Set(
    entries.filter((entry) => entry.pid === pid || entry.groupId === pid).map((entry) => entry.pid),
  );
  for (let size = -1; size !== tree.size; ) {
    size = tree.size;
    for (const entry of entries) if (tree.has(entry.parentPid)) tree.add(entry.pid);
  }
  return [...tree];
}

/** Sends a signal; a process that is gone already is no error. Returns whether it was there. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
