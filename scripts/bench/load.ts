/** The load that every contestant gets: the same payload, the same number in flight, the same names. */

/** Jobs in flight at a worker of the peers that work on single jobs: prefetch, or concurrency. */
export const IN_FLIGHT = 100;

/** Prefetch of the engine, and of raw, its limit. */
export const ENGINE_IN_FLIGHT = 512;

/** ENGINE_PREFIX of the benchmark, so that it never meets the queues of a real fleet on the same vhost. */
export const PREFIX = "bench";

/** Replies of every AMQP peer; outside of the prefix, and matching the allow-list of reply-to queues. */
export const REPLY_QUEUE = "tl-bench.replies";

/** Start of every job id, by which the benchmark's rows are found and deleted. */
export const ID_PREFIX = "bench-";

export const NOOP_TYPE = "noop.run.v1";

const NOTE = "The quick brown fox jumps over the lazy dog. ".repeat(4);

/** The input of one no-op job; about 300 bytes as JSON. */
export function payload(n: number) {
  return {
    n,
    issueId: `3f2c9f0e-5f0a-4d0e-9a5e-${String(n).padStart(12, "0")}`,
    priority: "high",
    note: NOTE,
    labels: ["bug", "backend"],
  };
}

/** The reply that the peers send: what the engine's own reply to the same job looks like. */
export const replyText = (n: number) => `{"status":"succeeded","output":{"n":${n}}}`;
