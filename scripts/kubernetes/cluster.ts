/** `make cluster-up`, `make cluster-down`: a cluster for tries on this machine, with KEDA of a pinned version. */
import "../show/closed-pipe.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { clusterDown, clusterUp } from "./try-cluster/local-cluster.ts";
import { TryError } from "./try-cluster/try-error.ts";

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

try {
  if (process.argv[2] === "down") clusterDown(say);
  else clusterUp(say);
} catch (error) {
  if (!(error instanceof TryError)) throw error;
  say(error.message);
  process.exitCode = error.code === "misused" ? 2 : 1;
}
