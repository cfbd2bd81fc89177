/** Planted bugs that touch a whole worker, so that each needs a run of its own. */
import type { Acks } from "../../../../shared/broker/acks.ts";
import type { ResultRow } from "../../../../shared/job/result-rows.ts";
import { type Bug, changes, claims, isTier, publishes, settles, withHeaders } from "./bug.ts";
import { INSERT_DO_NOTHING, openPool, valuesOf } from "./commits.ts";

export const WHOLE_BUGS: Record<string, Bug> = {
  "ack-before-commit": (parts) =>
    settles(parts, ({ message }, acks) => {
      acks.ack(message);
      return { ack() {}, handBack() {} };
    }),
  /** Acks by tag on whatever channel is open now. */
  "ack-on-stale-channel": (parts) => {
    let latest: Acks | undefined;
    return settles(parts, ({ message }, acks) => {
      if (latest?.channel !== acks.channel) latest = acks;
      return { ack: () => latest?.ack(message), handBack: () => latest?.handBack(message) };
    });
  },
  /** Acks all that came before as well, run or not. */
  "acks-over-gaps": (parts) => {
    const highest = new WeakMap<Acks, number>();
    return settles(parts, ({ message }, acks) => ({
      ack() {
        const { deliveryTag } = message.fields;
        if (acks.closed || deliveryTag <= (highest.get(acks) ?? 0)) return;
        highest.set(acks, deliveryTag);
        acks.channel.ack(message, true);
      },
    }));
  },
  /** Acks the delivery before the one that has ended. */
  "wrong-ack-tag": (parts) => {
    let before: typeof first | undefined;
    const first = undefined as (() => void) | undefined;
    return settles(parts, ({ message }, acks) => {
      const mine = () => acks.ack(message);
      const previous = before;
      before = mine;
      return { ack: () => (previous ?? mine)() };
    });
  },
  "ack-twice": (parts) =>
    settles(parts, ({ message }, acks) => ({
      ack() {
        if (acks.closed) return;
        acks.channel.ack(message);
        acks.ack(message);
      },
    })),
  /** The queues are declared with a delivery limit of 2; see the self-check. */
  "delivery-limit-low": (parts) => parts,
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
  "batch-outputs-shifted": (parts) => ({
    ...parts,
    commits: {
      ...parts.commits,
      commitIn(client, rows) {
        const replies = rows.map(({ reply }) => reply);
        rows.forEach((row, index) => {
          row.reply = replies[(index + 1) % rows.length] as string;
        });
        return parts.commits.commitIn(client, rows);
      },
    },
  }),
  /** The handler's own writes commit by themselves. */
  "writes-outside-transaction": (parts) => ({
    ...parts,
    connections: {
      ...parts.connections,
      async begin(timeoutMs, clock) {
        const own = await parts.connections.begin(timeoutMs, clock);
        const query = ((...args: unknown[]) =>
          /ledger/.test(String(args[0]))
            ? Reflect.apply(openPool().query, openPool(), args)
            : Reflect.apply(own.tx.query, own.tx, args)) as typeof own.tx.query;
        return { ...own, tx: { query } };
      },
    },
  }),
  /** Sends a retry back to its own queue, where it is what it was before. */
  "requeue-instead-of-tier": (parts) =>
    publishes(parts, async (outgoing, send) => {
      if (isTier(outgoing)) throw new Error("requeue");
      return send(outgoing);
    }),
  /** Nor is a culprit ever found out, which takes all workers along. */
  "claim-without-token": (parts) => ({
    ...parts,
    claims: {
      ...parts.claims,
      claim: async (job) => ({ kind: "run", token: "same", crashes: job.crashes }),
    },
  }),
  /** A culprit is never found out. */
  "crashes-not-counted": (parts) =>
    changes(
      claims(parts, (claim) => {
        if (claim.kind === "suspect") return { kind: "run", token: undefined, crashes: 0 };
        return claim.kind === "run" ? { ...claim, crashes: 0 } : claim;
      }),
      isTier,
      (retry) => withHeaders(retry, { "x-crashes": 0 }),
    ),
};
