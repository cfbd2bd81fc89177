/** What a planted bug is, and how it changes one part of the runtime. */
import type { Acks } from "../../../../shared/broker/acks.ts";
import type { Delivery } from "../../../../shared/broker/consume.ts";
import type { Published } from "../../../../shared/broker/publish.ts";
import type { Outgoing } from "../../../../shared/broker/publish-frames.ts";
import type { Claim } from "../../../../shared/job/claim.ts";
import type { ReceivedJob } from "../../../../shared/job/receive.ts";
import type { ResultRow } from "../../../../shared/job/result-rows.ts";
import type { Parts } from "../../../../shared/worker.ts";

/**
 * Wraps a part of the runtime in a mistake that people make. `isMine` says which jobs to harm, by their ids, where
 * that is not in a part.
 */
export type Bug = (parts: Parts, isMine: (jobId: unknown) => boolean) => Parts;

/** Where a message goes, told by its address as the contract has it. */
export const isTier = ({ exchange }: Outgoing) => exchange.includes(".delay.");
export const isEvent = ({ exchange }: Outgoing) => exchange.endsWith(".events");
export const isLetter = ({ routingKey }: Outgoing) => routingKey.endsWith(".dead");
export const isReply = (outgoing: Outgoing) =>
  !isTier(outgoing) && !isEvent(outgoing) && !isLetter(outgoing);

/** Does as `publish` says instead. */
export const publishes = (
  parts: Parts,
  publish: (
    outgoing: Outgoing,
    send: (outgoing: Outgoing) => Promise<Published>,
  ) => Promise<Published>,
): Parts => ({
  ...parts,
  publisher: {
    ...parts.publisher,
    publish: (outgoing, signal) =>
      publish(outgoing, (changed) => parts.publisher.publish(changed, signal)),
  },
});

/** Changes the messages that `test` picks; undefined leaves one out. */
export const changes = (
  parts: Parts,
  test: (outgoing: Outgoing) => boolean,
  change: (outgoing: Outgoing) => Outgoing | undefined,
): Parts =>
  publishes(parts, (outgoing, send) => {
    const changed = test(outgoing) ? change(outgoing) : outgoing;
    return changed === undefined ? Promise.resolve("routed") : send(changed);
  });

export const withHeaders = (outgoing: Outgoing, headers: Record<string, string | number>) => ({
  ...outgoing,
  headers: { ...outgoing.headers, ...headers },
});

/** Changes what claiming a job comes to. */
export const claims = (
  parts: Parts,
  change: (claim: Claim, job: ReceivedJob) => Claim | Promise<Claim>,
): Parts => ({
  ...parts,
  claims: {
    ...parts.claims,
    async claim(job, ...how) {
      // What is claimed is always a job that was received.
      return change(await parts.claims.claim(job, ...how), job as ReceivedJob);
    },
  },
});

/** Changes a row on its way to Postgres, and in the worker's own hands. */
export const storing = (parts: Parts, change: (row: ResultRow) => void): Parts => ({
  ...parts,
  commits: {
    ...parts.commits,
    commit(row) {
      change(row);
      return parts.commits.commit(row);
    },
    commitIn(tx, rows) {
      rows.forEach(change);
      return parts.commits.commitIn(tx, rows);
    },
  },
});

/** Changes how a delivery is settled. */
export const settles = (
  parts: Parts,
  settle: (delivery: Delivery, acks: Acks) => Partial<Pick<Acks, "ack" | "handBack">>,
): Parts => ({
  ...parts,
  receive(delivery) {
    const received = parts.receive(delivery);
    const { acks } = delivery;
    const usual = {
      ack: () => acks.ack(delivery.message),
      handBack: () => acks.handBack(delivery.message),
    };
    delivery.acks = { ...usual, ...settle(delivery, acks) } as unknown as Acks;
    return received;
  },
});

/** What the worker has received last, by job id, for bugs that need to know the delivery. */
export function remember(parts: Parts): { parts: Parts; received: Map<string, ReceivedJob> } {
  const received = new Map<string, ReceivedJob>();
  return {
    received,
    parts: {
      ...parts,
      receive(delivery) {
        const job = parts.receive(delivery);
        if (job.kind === "job") received.set(job.id, job);
        return job;
      },
    },
  };
}

export const replyOf = (job: ReceivedJob, row: ResultRow): Outgoing => ({
  exchange: "",
  routingKey: job.replyTo ?? "",
  body: Buffer.from(row.reply),
  messageId: `${row.engine}/${row.jobId}/${row.generation}/${row.code ?? "succeeded"}`,
  type: `${row.type}.${row.status === "succeeded" ? "result" : "error"}`,
  correlationId: job.correlationId ?? row.jobId,
  mandatory: true,
  headers: { "x-attempt": row.attempt },
});
