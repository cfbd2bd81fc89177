/** What Redis' error replies say of the server behind the connection. */

// Replies begin with a word. Inside of a script, servers before Redis 7 put it behind a dash in a longer text.
const word = (...words: string[]) => new RegExp(`(?:^|-)(?:${words.join("|")})\\b`);

const ELSEWHERE = word(
  "READONLY", // a replica, or a primary that was demoted
  "LOADING", // reading its data after a start
  "MASTERDOWN", // a replica without its primary
  "CLUSTERDOWN",
  "TRYAGAIN",
  "NOREPLICAS", // a primary that lost its replicas, perhaps since another took its place
  "UNBLOCKED", // was demoted under a blocked command
  "NOAUTH", // the login was withdrawn
  "WRONGPASS",
);

/**
 * Whether the server at the other end is no longer the one to ask, or no longer knows us. The connection itself
 * is sound and would stay for ever: only a new one finds the new primary by name, or logs in anew.
 */
export const needsNewConnection = (error: unknown): boolean =>
  error instanceof Error && ELSEWHERE.test(error.message);

const CLUSTER = word("CROSSSLOT", "MOVED", "ASK", "CLUSTERDOWN");

/** Whether the server shares its keys with others: our scripts take several keys at once. */
export const isClustered = (error: unknown): boolean =>
  error instanceof Error &&
  (CLUSTER.test(error.message) || /SELECT is not allowed in cluster mode/.test(error.message));
