/** What a person may choose of a try, read from the environment once. */
import { TryError } from "./try-error.ts";

export interface TryOptions {
  environment: string | undefined;
  /** Jobs of the burst. */
  jobs: number;
  /** Leaves what it made. */
  keep: boolean;
  /** Where the cluster pulls our images from; undefined: as the overlay says, or as they were loaded. */
  registry: string | undefined;
  /** Tag of our images; undefined: as the overlay says. */
  tag: string | undefined;
}

/** A queue that is worth three replicas to KEDA, and a bad minute to one. */
const JOBS = 60_000;
/** What an emptyDir of the broker holds with room to spare. */
const MOST_JOBS = 200_000;
const TAG = /^\w[\w.-]{0,127}$/;
const REGISTRY = /^[a-z0-9][a-z0-9.-]*(:\d+)?(\/[a-z0-9._-]+)*\/?$/;

/** @throws {TryError} `misused`, with all that can't be used. */
export function readOptions(env: NodeJS.ProcessEnv): TryOptions {
  const wrong: string[] = [];
  const jobs = Number(env.JOBS || JOBS);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MOST_JOBS)
    wrong.push(`JOBS=${env.JOBS}: a whole number from 1 to ${MOST_JOBS}`);
  if (env.TAG && (!TAG.test(env.TAG) || env.TAG === "latest"))
    wrong.push(`TAG=${env.TAG}: the tag of a version, as make images gave it`);
  if (env.REGISTRY && !REGISTRY.test(env.REGISTRY))
    wrong.push(`REGISTRY=${env.REGISTRY}: a registry's name, such as ghcr.io/tiendaleon`);
  if (wrong.length > 0) throw new TryError("misused", wrong.join("\n"));
  return {
    environment: env.ENV,
    jobs,
    keep: env.KEEP !== undefined && env.KEEP !== "" && env.KEEP !== "0",
    registry: env.REGISTRY?.replace(/\/+$/, "") || undefined,
    tag: env.TAG || undefined,
  };
}
