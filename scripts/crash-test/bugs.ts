/**
 * Planted bugs: each wraps one part of the runtime in a mistake that people make. The checker must
 * catch every one of them, or it can't be trusted when it finds nothing.
 */
import { randomUUID } from "node:crypto";
import type { Acks } from "../../shared/broker/acks.ts";
import type { Outgoing } from "../../shared/broker/publish-frames.ts";
import type { ReceivedJob } from "../../shared/job/receive.ts";
import type { ResultRow } from "../../shared/job/result-rows.ts";
import type { Parts } from "../../shared/worker.ts";

type Bug = (parts: Parts) => Parts;

/** What the worker has received, by job id, for bugs that need to know the delivery. */
function remember(parts: Parts): { parts: Parts; received: Map<string, ReceivedJob> } {
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

/** Changes what is published. */
const onPublish = (parts: Parts, change: (outgoing: Outgoing) => Outgoing): Parts => ({
  ...parts,
  publisher: {
    ...parts.publisher,
    publish: (outgoing, signal) => parts.publisher.publish(change(outgoing), signal),
  },
});

const replyOf = (job: ReceivedJob, row: ResultRow): Outgoing => ({
  exchange: "",
  routingKey: job.replyTo ?? "",
  body: Buffer.from(row.reply),
  messageId: `${row.engine}/${row.jobId}/${row.generation}/${row.code ?? "succeeded"}`,
  type: `${row.type}.${row.status === "succeeded" ? "result" : "error"}`,
  correlationId: job.correlationId ?? row.jobId,
  mandatory: true,
});

/** The statement that a careless author writes: no fence for the other writes of the transaction. */
const INSERT_DO_NOTHING = `
  insert into engine.results (engine, job_id, generation, status, code, attempt, type, input_hash, reply, events, worker, started_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'bug', now())
  on conflict do nothing`;
const valuesOf = (row: ResultRow) => [
  row.engine,
  row.jobId,
  row.generation,
  row.status,
  row.code,
  row.attempt,
  row.type,
  row.inputHash,
  row.reply,
  row.events,
];

export const BUGS: Record<string, Bug> = {
  "ack-before-commit": (parts) => ({
    ...parts,
    receive(delivery) {
      const job = parts.receive(delivery);
      delivery.acks.ack(delivery.message);
      delivery.acks = { ack() {}, handBack() {} } as unknown as Acks;
      return job;
    },
  }),

  "copied-headers": (given) => {
    const { parts, received } = remember(given);
    return onPublish(parts, (outgoing) => {
      const job = received.get(outgoing.messageId ?? "");
      const headers = job?.delivery.message.properties.headers ?? {};
      return { ...outgoing, headers: { ...headers, ...outgoing.headers } };
    });
  },

  /** Reads back after a lost COMMIT, and believes that no row means no commit. */
  "read-back-after-lost-commit": (given) => {
    const { parts, received } = remember(given);
    const { commits, publisher } = parts;
    return {
      ...parts,
      commits: {
        ...commits,
        async commitIn(client, rows) {
          const own = await commits.commitIn(client, rows);
          if (own.kind !== "unknown") return own;
          for (const row of rows) {
            const job = received.get(row.jobId);
            if (job === undefined || (await commits.read(row.engine, row.jobId))) continue;
            const failed: ResultRow = {
              ...row,
              status: "failed",
              code: "attempts_exhausted",
              reply: '{"status":"failed","error":{"code":"attempts_exhausted"}}',
            };
            await publisher.publish(replyOf(job, failed));
          }
          return own;
        },
      },
    };
  },

  /** Takes a lost COMMIT for one that worked. */
  "lost-commit-taken-for-done": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      async commitIn(client, rows) {
        const own = await parts.commits.commitIn(client, rows);
        return own.kind === "unknown" ? { kind: "committed" } : own;
      },
    },
  }),

  /** Acks by tag on whatever channel is open now. */
  "ack-on-stale-channel": (parts) => {
    let latest: Acks | undefined;
    return {
      ...parts,
      receive(delivery) {
        const job = parts.receive(delivery);
        const { acks, message } = delivery;
        if (latest?.channel !== acks.channel) latest = acks;
        delivery.acks = {
          ack: () => latest?.ack(message),
          handBack: () => latest?.handBack(message),
        } as unknown as Acks;
        return job;
      },
    };
  },

  "do-nothing-with-own-writes": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      async commitIn(client, rows) {
        for (const row of rows) await client.query(INSERT_DO_NOTHING, valuesOf(row));
        await client.query("commit");
        return { kind: "committed" };
      },
    },
  }),

  /** Every worker claims under the same token, so nobody is ever told that a job is taken. */
  "claim-without-token": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      async claim(job) {
        return { kind: "run", token: "same", crashes: job.crashes };
      },
    },
  }),

  /** Sends a retry back to its own queue, where it is what it was before. */
  "requeue-instead-of-tier": (parts) => ({
    ...parts,
    publisher: {
      ...parts.publisher,
      async publish(outgoing, signal) {
        if (outgoing.exchange.includes(".delay.")) throw new Error("requeue");
        return parts.publisher.publish(outgoing, signal);
      },
    },
  }),

  "reply-before-commit": (given) => {
    const { parts, received } = remember(given);
    const { commits, publisher } = parts;
    const announce = async (rows: ResultRow[]) => {
      for (const row of rows) {
        const job = received.get(row.jobId);
        if (job?.replyTo !== undefined) await publisher.publish(replyOf(job, row));
      }
    };
    return {
      ...parts,
      commits: {
        ...commits,
        async commit(row) {
          await announce([row]);
          return commits.commit(row);
        },
        async commitIn(client, rows) {
          await announce(rows);
          return commits.commitIn(client, rows);
        },
      },
    };
  },

  /** Marks a job done when it starts, and later takes Redis' word for it. */
  "done-without-row": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      async claim(job, alone) {
        const claim = await parts.claims.claim(job, alone);
        if (claim.kind === "done") return { kind: "stale", attempt: 0 };
        if (claim.kind === "run") await parts.claims.unclaim("done", job, claim.token);
        return claim;
      },
    },
  }),

  /** The queues are declared with a delivery limit of 20; see the self-check. */
  "delivery-limit-20": (parts) => parts,

  /** Inserts the rows of a batch in whatever order they came. */
  "unsorted-groups": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      async commitIn(client, rows) {
        const stored = new Map<string, ResultRow>();
        for (const row of Math.random() < 0.5 ? rows : rows.toReversed()) {
          const { rowCount } = await client.query(INSERT_DO_NOTHING, valuesOf(row));
          const there = rowCount ? undefined : await parts.commits.read(row.engine, row.jobId);
          if (there) stored.set(`${row.engine}/${row.jobId}`, there);
        }
        await client.query(stored.size > 0 ? "rollback" : "commit");
        return stored.size > 0 ? { kind: "conflict", stored } : { kind: "committed" };
      },
    },
  }),

  "random-event-ids": (parts) =>
    onPublish(parts, (outgoing) =>
      outgoing.exchange.endsWith(".events")
        ? { ...outgoing, messageId: `ev-${randomUUID()}` }
        : outgoing,
    ),

  /** Redis learns the attempt before the retry is safe on its tier. */
  "attempt-before-tier": (given) => {
    const { parts, received } = remember(given);
    const tokens = new Map<string, string>();
    return {
      ...parts,
      claims: {
        ...parts.claims,
        async claim(job, alone) {
          const claim = await parts.claims.claim(job, alone);
          if (claim.kind === "run" && claim.token) tokens.set(job.id, claim.token);
          return claim;
        },
      },
      publisher: {
        ...parts.publisher,
        async publish(outgoing, signal) {
          const job = received.get(outgoing.messageId ?? "");
          const attempt = Number(outgoing.headers?.["x-attempt"] ?? 1);
          // With the claim's token, as the runtime does it: a lease that stays would make the copy
          // that is delivered again wait, and join the attempt on record instead of being dropped.
          if (job && outgoing.exchange.includes(".delay.") && attempt > job.attempt)
            await parts.claims.unclaim("retry", job, tokens.get(job.id), attempt);
          return parts.publisher.publish(outgoing, signal);
        },
      },
    };
  },

  /** A result that is there already is acked without telling its caller again. */
  "no-resend": (parts) => {
    const silent = new Set<string>();
    return {
      ...parts,
      commits: {
        ...parts.commits,
        async commit(row) {
          const committed = await parts.commits.commit(row);
          if (committed.kind === "before") silent.add(row.jobId);
          return committed;
        },
        async commitIn(client, rows) {
          const own = await parts.commits.commitIn(client, rows);
          if (own.kind === "conflict") for (const row of rows) silent.add(row.jobId);
          return own;
        },
      },
      publisher: {
        ...parts.publisher,
        publish: async (outgoing, signal) =>
          silent.has(String(outgoing.correlationId))
            ? "routed"
            : parts.publisher.publish(outgoing, signal),
      },
    };
  },

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
  "guilty-by-neighbourhood": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      async claim(job, alone) {
        const claim = await parts.claims.claim(job, alone);
        return claim.kind === "run" && claim.crashes > 0 ? { ...claim, crashes: 100 } : claim;
      },
    },
  }),
};

export function plantBug(name: string, parts: Parts): Parts {
  const bug = BUGS[name];
  if (bug === undefined) throw new RangeError(`no such bug: ${name}`);
  return bug(parts);
}
