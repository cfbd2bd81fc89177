/** Planted bugs of claims, cancellations and deadlines: who may run a job, and when. */
import { Redis } from "ioredis";
import type { Claim } from "../../../../shared/job/claim.ts";
import { JobContext } from "../../../../shared/job/job-context.ts";
import type { ReceivedJob } from "../../../../shared/job/receive.ts";
import { type ClaimRecord, readRecord, writeRecord } from "../../../../shared/wire/claim-record.ts";
import { redisKeys } from "../../../../shared/wire/names.ts";
import type { Parts } from "../../../../shared/worker.ts";
import { type Bug, changes, claims, isReply, isTier, settles } from "./bug.ts";

const LEASE_MS = Number(process.env.LEASE_MS ?? 2_000);

let redis: Redis | undefined;
/** Changes what Redis holds of a job, where the record passes the test. */
async function change(
  job: { engine: string; publisher: string | undefined; id: string },
  test: (record: ClaimRecord) => boolean,
  how: (record: ClaimRecord) => void,
): Promise<void> {
  redis ??= new Redis(process.env.REDIS_URL ?? "").on("error", () => {});
  const key = redisKeys.claim(process.env.ENGINE_PREFIX ?? "", job.engine, job.publisher, job.id);
  const record = readRecord(await redis.get(key).catch(() => null));
  if (record === undefined || !test(record)) return;
  how(record);
  await redis.set(key, writeRecord(record), "KEEPTTL").catch(() => {});
}

/** Leases end when `leaseEndMs` says. */
const leasing = (parts: Parts, leaseEndMs: () => number): Parts => {
  const lease = (record: ClaimRecord) => {
    record.leaseEndMs = leaseEndMs();
  };
  const isOf = (token: string) => (record: ClaimRecord) => record.token === token;
  const claimed = claims(parts, async (claim, job) => {
    if (claim.kind === "run" && claim.token) await change(job, isOf(claim.token), lease);
    return claim;
  });
  return {
    ...claimed,
    claims: {
      ...claimed.claims,
      async heartbeat(jobs) {
        const answers = await parts.claims.heartbeat(jobs);
        for (const job of jobs) await change(job, isOf(job.token), lease);
        return answers;
      },
    },
  };
};

/** Acks the deliveries that `test` picks, without a word to anybody. */
function dropping(parts: Parts, test: (claim: Claim, job: ReceivedJob) => boolean): Parts {
  const dropped = new Set<string>();
  const claimed = claims(parts, (claim, job) => {
    if (!test(claim, job)) return claim;
    dropped.add(String(job.correlationId ?? job.id));
    // The runtime sends it to a tier, where it does not arrive, and acks it.
    return { kind: "busy", remainingMs: 1 };
  });
  return changes(claimed, isTier, (retry) =>
    dropped.delete(String(retry.correlationId ?? retry.messageId)) ? undefined : retry,
  );
}

export const CLAIM_BUGS: Record<string, Bug> = {
  /** Nobody is ever told that a job is taken. */
  "claim-never-busy": (parts) =>
    claims(parts, (claim, job) =>
      claim.kind === "busy" ? { kind: "run", token: undefined, crashes: job.crashes } : claim,
    ),
  /** Whoever asks for a claim that somebody else has renews it for him. */
  "claim-never-expires": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      async claim(job, ...how) {
        const isHeld = ({ token }: ClaimRecord) => token !== undefined;
        await change(job, isHeld, (record) => {
          record.leaseEndMs = Date.now() + LEASE_MS;
        });
        return parts.claims.claim(job, ...how);
      },
    },
  }),
  "lease-by-worker-clock": (parts) => leasing(parts, () => Date.now() + LEASE_MS),
  "lease-never-renewed": (parts) => ({
    ...parts,
    claims: { ...parts.claims, heartbeat: async (jobs) => jobs.map(() => "renewed") },
  }),
  "claim-released-early": (parts) =>
    claims(parts, async (claim, job) => {
      if (claim.kind === "run") await parts.claims.unclaim("release", job, claim.token);
      return claim;
    }),
  /** Marks a job done when it starts, and later takes Redis' word for it. */
  "done-without-row": (parts) =>
    dropping(
      claims(parts, async (claim, job) => {
        if (claim.kind === "run") await parts.claims.unclaim("done", job, claim.token);
        return claim;
      }),
      (claim) => claim.kind === "done",
    ),
  "repeats-unanswered": (parts) => {
    const silent = new Set<string>();
    const claimed = claims(parts, (claim, job) => {
      if (claim.kind === "done") silent.add(String(job.correlationId ?? job.id));
      return claim;
    });
    return changes(claimed, isReply, (reply) =>
      silent.has(String(reply.correlationId)) ? undefined : reply,
    );
  },
  /** Takes what the broker delivers again, with a lower attempt, for the copy whose retry is under way. */
  "stale-copy-dropped": (parts) =>
    dropping(
      parts,
      (claim, job) => claim.kind === "stale" && job.delivery.message.fields.redelivered,
    ),
};

export const CRASH_BUGS: Record<string, Bug> = {
  /** Counts every redelivery as an attempt. */
  "redelivery-counts": (parts) => ({
    ...parts,
    receive(delivery) {
      const job = parts.receive(delivery);
      if (delivery.message.fields.redelivered) job.attempt++;
      return job;
    },
  }),
  /** Quarantines whatever was there at a crash. */
  "guilty-by-neighbourhood": (parts) =>
    claims(parts, (claim) =>
      claim.kind === "run" && claim.crashes > 0 ? { ...claim, crashes: 100 } : claim,
    ),
  /** Takes a lease that ran out for the job's own crash: its worker may only have stood still. */
  "stall-counts-as-crash": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      async claim(job, ...how) {
        let hasRunOut = false;
        const look = ({ token, leaseEndMs }: ClaimRecord) => {
          hasRunOut = token !== undefined && leaseEndMs < Date.now();
          return false;
        };
        await change(job, look, () => {});
        const claim = await parts.claims.claim(job, ...how);
        return claim.kind === "run" && hasRunOut ? { ...claim, crashes: 100 } : claim;
      },
    },
  }),
  /** Quarantines the job that came after the one that was there at a crash. */
  "neighbour-quarantined": (parts) => {
    let isNext = false;
    return claims(parts, (claim) => {
      if (claim.kind !== "run") return claim;
      if (claim.crashes > 0) isNext = true;
      else if (isNext) {
        isNext = false;
        return { ...claim, crashes: 100 };
      }
      return claim;
    });
  },
  "hand-back-counts": (parts) => ({
    ...settles(parts, (delivery, acks) => ({
      handBack() {
        const job = parts.receive({ ...delivery, acks });
        if (job.kind === "job") void parts.claims.unclaim("retry", job, undefined, job.attempt + 1);
        acks.handBack(delivery.message);
      },
    })),
  }),
};

export const CANCEL_BUGS: Record<string, Bug> = {
  "cancelled-job-run": (parts) =>
    claims(parts, (claim, job) =>
      claim.kind === "cancelled"
        ? { kind: "run", token: claim.token, crashes: job.crashes }
        : claim,
    ),
  /** Neither the message nor the heartbeat ends a run. */
  "cancel-ignored": (parts, isMine) => {
    const { abort } = JobContext.prototype;
    JobContext.prototype.abort = function (reason) {
      if (reason.why === "cancelled" && isMine(this.id)) return;
      Reflect.apply(abort, this, [reason]);
    };
    return parts;
  },
  "expired-job-run": (parts) => ({
    ...parts,
    receive(delivery) {
      const { headers } = delivery.message.properties;
      if (headers) delete headers["x-deadline"];
      return parts.receive(delivery);
    },
  }),
};
