/** Looks after jobs that run: renews the leases of long ones, carries progress out and cancellations in. */
import type { Logger } from "pino";
import { isUnanswered, type Redis, reconnect } from "../stores/redis.ts";
import { redisKeys } from "../wire/names.ts";
import type { Claims } from "./claim.ts";
import { Aborted, type JobContext } from "./job-context.ts";
import type { ReceivedJob } from "./receive.ts";

/** A job that this worker holds a claim on, for heartbeats, cancellation and the drain. */
export interface LiveJob {
  readonly job: ReceivedJob;
  readonly startedAtMs: number;
  /** When its lease was last set. */
  renewedAtMs: number;
  token: string | undefined;
  context: JobContext;
  /** Its place among the others. */
  place: number;
}

/**
 * The jobs in hand, in no order. No Set: that one moves to a new table every few hundred jobs, and an old
 * table that V8 has promoted keeps all that it held, and its successor, alive until the next full collection.
 */
export class LiveJobs {
  readonly #jobs: LiveJob[] = [];
  /** A job reports its progress for the first time. Set by whoever carries it out. */
  onFirstReport: () => void = () => {};

  add(job: Omit<LiveJob, "place">): LiveJob {
    const live = job as LiveJob;
    live.place = this.#jobs.push(live) - 1;
    return live;
  }

  /** The last one takes its place. */
  delete({ place }: LiveJob): void {
    const last = this.#jobs.pop() as LiveJob;
    if (last.place === place) return;
    this.#jobs[place] = last;
    last.place = place;
  }

  /** Type and id of those that began last: whoever held the event loop is among them, or has just ended. */
  latest(count = 5): string[] {
    return this.#jobs
      .toSorted((a, b) => b.startedAtMs - a.startedAtMs)
      .slice(0, count)
      .map(({ job }) => `${job.type} ${job.id}`);
  }

  /** What passes the test now; later changes don't show. */
  filter(test: (job: LiveJob) => boolean): LiveJob[] {
    return this.#jobs.filter(test);
  }
}

/** Of a lease: how often to look, and the age since its start or last renewal from which a claim is renewed. */
const LOOK = 1 / 4;
const RENEW_FROM = 1 / 2;
/** A first report is readable within a second; what ends before costs no command. */
const SHOWN_AFTER_MS = 900;
/** Reports that are due so soon go along in the same command. */
const ALONG_MS = 50;

const cancelled = () => new Aborted("cancelled", "cancelled by the caller");

/**
 * Jobs shorter than half a lease cost no command, unless they report progress and run for a second after that.
 * Returns the function that stops it.
 */
export function beatHearts(
  live: LiveJobs,
  claims: Claims,
  leaseMs: number,
  log: Logger,
): () => void {
  let beating = false;
  let showing: NodeJS.Timeout | undefined;

  async function beat(jobs: LiveJob[]): Promise<void> {
    const nowMs = Date.now();
    const answers = await claims.heartbeat(
      jobs.map(({ job, token, context }) => {
        context.unseenSinceMs = undefined;
        return {
          engine: job.engine,
          publisher: job.publisher,
          id: job.id,
          token: token as string,
          progress: context.latestProgress,
        };
      }),
    );
    answers?.forEach((answer, i) => {
      const me = jobs[i] as LiveJob;
      me.renewedAtMs = nowMs;
      if (answer === "cancelled") me.context.abort(cancelled());
      // Somebody else runs it too. The first to commit wins, so it may as well go on.
      if (answer === "lost")
        log.warn({ jobId: me.job.id }, "another worker took over the lease of a job");
    });
  }

  const timer = setInterval(async () => {
    const due = Date.now() - leaseMs * RENEW_FROM;
    const jobs = live.filter(({ token, renewedAtMs }) => token !== undefined && renewedAtMs <= due);
    if (jobs.length === 0 || beating) return;
    beating = true;
    await beat(jobs);
    beating = false;
  }, leaseMs * LOOK);
  timer.unref();

  function show(): void {
    showing = undefined;
    const unseen = live.filter(
      ({ token, context }) => token !== undefined && context.unseenSinceMs !== undefined,
    );
    const due = Date.now() - SHOWN_AFTER_MS + ALONG_MS;
    const isDue = ({ context }: LiveJob) => (context.unseenSinceMs as number) <= due;
    const jobs = unseen.filter(isDue);
    const later = unseen.filter((job) => !isDue(job)).map((job) => job.context.unseenSinceMs ?? 0);
    if (jobs.length > 0) void beat(jobs);
    if (later.length > 0) showAfter(Math.min(...later) + SHOWN_AFTER_MS - Date.now());
  }

  function showAfter(delayMs: number): void {
    showing = setTimeout(show, delayMs);
    showing.unref();
  }

  live.onFirstReport = () => {
    if (showing === undefined) showAfter(SHOWN_AFTER_MS);
  };
  return () => {
    clearInterval(timer);
    clearTimeout(showing);
  };
}

interface CancelOptions {
  prefix: string;
  engine: string;
  log: Logger;
}

/**
 * A message on a publisher's channel names the job to cancel. Subscribing costs one command; the flag
 * that the caller also sets is what jobs that have not started, and heartbeats, go by.
 */
export function listenForCancels(live: LiveJobs, redis: Redis, options: CancelOptions): () => void {
  const { prefix, engine, log } = options;
  const isDown = (error: unknown) => log.debug({ err: error }, "redis: the cancel channel is down");
  // ioredis subscribes again by itself too, but nobody catches its error, which would end the process.
  const subscriber = redis.duplicate({ autoResubscribe: false });
  subscriber.on("error", isDown);
  subscriber.on("ready", () => {
    subscriber.psubscribe(redisKeys.cancel(prefix, engine, "*")).catch((error: Error) => {
      isDown(error);
      if (isUnanswered(error)) reconnect(subscriber);
    });
  });
  subscriber.on("pmessage", (_pattern, channel, id: string) => {
    const isMeant = ({ job }: LiveJob) =>
      job.id === id && redisKeys.cancel(prefix, engine, job.publisher) === channel;
    for (const { context } of live.filter(isMeant)) context.abort(cancelled());
  });
  return () => subscriber.disconnect();
}
