/** What the person who runs the benchmark may choose, read from the environment once. */

/**
 * Every contestant, in the order of a round. A shared machine's speed changes within seconds, so the engine
 * is measured right after raw, the peer that is nearest to it.
 */
export const PEER_NAMES = ["raw", "tl-engine", "naive", "bullmq", "graphile", "celery"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Parts of a run beside the rounds of throughput; `ONLY` may name them too. */
export const EXTRAS = ["rpc", "cold-start", "engines"] as const;
export type Extra = (typeof EXTRAS)[number];

export interface BenchOptions {
  /** Jobs of one measured round for the quickest peers; slower ones get the share that takes as long. */
  jobs: number;
  rounds: number;
  /** Calls of each side in the latency test. */
  calls: number;
  /** Starts of each side in the cold-start test. */
  starts: number;
  peers: PeerName[];
  extras: Extra[];
  /** Runs the engine under `--cpu-prof` and prints where its time goes. Its figures are then slower. */
  profile: boolean;
}

/** Reads JOBS, ROUNDS, CALLS, STARTS, ONLY (names, comma-separated) and PROFILE. Throws on a name or number it can't use. */
export function readOptions(env: NodeJS.ProcessEnv): BenchOptions {
  const profile = env.PROFILE === "1";
  const only = (env.ONLY ?? (profile ? "tl-engine" : "")).split(",").filter(Boolean);
  const known: readonly string[] = [...PEER_NAMES, ...EXTRAS];
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`ONLY: ${unknown.join(", ")} is none of ${known.join(", ")}`);
  const chosen = (name: string) => only.length === 0 || only.includes(name);
  return {
    jobs: wholeNumber(env, "JOBS", 60_000),
    rounds: wholeNumber(env, "ROUNDS", 5),
    calls: wholeNumber(env, "CALLS", 500),
    starts: wholeNumber(env, "STARTS", 9),
    peers: PEER_NAMES.filter(chosen),
    extras: EXTRAS.filter(chosen),
    profile,
  };
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = Number(env[name] || fallback);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${name} must be a whole number from 1, not ${JSON.stringify(env[name])}`);
  return value;
}
