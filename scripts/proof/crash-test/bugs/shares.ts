/** Planted bugs of what messages can do: take what others need, not be decoded, or be believed what they say. */
import { setTimeout as sleep } from "node:timers/promises";
import { Acks } from "../../../../shared/broker/acks.ts";
import { brokerUserOf } from "../../../../shared/broker/address.ts";
import { ByteBudget } from "../../../../shared/broker/byte-budget.ts";
import type { Delivery } from "../../../../shared/broker/consume.ts";
import type { ReceivedJob } from "../../../../shared/job/receive.ts";
import type { Parts } from "../../../../shared/worker.ts";
import { type Bug, changes, settles } from "./bug.ts";
import { inBurials } from "./commits.ts";

/** Those that wait have places that bulk jobs need: without an end the worker would stand still, not starve anybody. */
const BULK_FIRST_MS = 12_000;

/** What happens to a delivery for which there was no room, instead of its way back to the queue. */
function turnsAway(onTurnedAway: (acks: Acks, message: Delivery["message"]) => void): void {
  const { take } = ByteBudget.prototype;
  const { handBack } = Acks.prototype;
  let isFor = false;
  ByteBudget.prototype.take = function (bytes) {
    const fits = take.call(this, bytes);
    isFor = !fits;
    return fits;
  };
  Acks.prototype.handBack = function (message) {
    if (!isFor) return handBack.call(this, message);
    isFor = false;
    onTurnedAway(this, message);
  };
}

export const SHARE_BUGS: Record<string, Bug> = {
  /** What there is no room for goes back as after a failed attempt. */
  "heavy-hand-back-counts": (parts, isMine) => {
    const { handBack } = Acks.prototype;
    turnsAway((acks, message) => {
      const { messageId } = message.properties;
      const received = isMine(messageId)
        ? parts.receive({ message, acks, lane: "interactive" })
        : undefined;
      if (received?.kind === "job")
        void parts.claims.unclaim("retry", received, undefined, received.attempt + 1);
      handBack.call(acks, message);
    });
    return parts;
  },
  /** Acks what it can't decode, without a word to anybody. */
  "undecodable-forgotten": (parts) => {
    const forgotten = new Set<string>();
    const quiet: Parts = {
      ...parts,
      receive(delivery) {
        const received = parts.receive(delivery);
        if (delivery.undecodable !== undefined && received.id !== undefined)
          forgotten.add(received.id);
        return received;
      },
      commits: {
        ...parts.commits,
        commit: async (row) =>
          forgotten.has(row.jobId) ? { kind: "first", row } : parts.commits.commit(row),
      },
    };
    // A letter has the job's id, a reply one that holds it.
    const isForgotten = (id = "") => forgotten.has(id) || forgotten.has(id.split("/")[1] ?? "");
    return changes(
      quiet,
      ({ messageId }) => isForgotten(messageId),
      () => undefined,
    );
  },
  /** Takes everybody whom the delivery limit took along for the culprit. */
  "neighbours-not-rescued": inBurials((parts) => ({
    ...parts,
    receive(delivery) {
      const received = parts.receive(delivery);
      if (received.kind !== "untried") return received;
      const message = "the broker delivered the job too often without an end";
      return Object.assign(received, {
        kind: "refused" as const,
        problem: { code: "quarantined" as const, message },
      });
    },
  })),
  /** Takes everybody for one of our own. */
  "forged-headers-believed": (parts) => ({
    ...parts,
    receive(delivery) {
      delivery.message.properties.userId = brokerUserOf(process.env.AMQP_URL ?? "");
      return parts.receive(delivery);
    },
  }),
};

export const WHOLE_SHARE_BUGS: Record<string, Bug> = {
  /** Keeps what there is no room for, and never comes back to it. */
  "heavy-never-taken-again": (parts) => {
    turnsAway(() => {});
    return parts;
  },
  "byte-budget-ignored": (parts) => {
    ByteBudget.prototype.take = () => true;
    return parts;
  },
  /** Runs what people wait for when it has nothing else in hand. */
  "bulk-before-interactive": (parts) => {
    let bulk = 0;
    let whenNone = Promise.withResolvers<void>();
    const ended = () => {
      if (--bulk > 0) return;
      whenNone.resolve();
      whenNone = Promise.withResolvers<void>();
    };
    const counting = settles(parts, ({ message, lane }, acks) => {
      if (lane === "interactive") return {};
      bulk++;
      return {
        ack: () => [acks.ack(message), ended()],
        handBack: () => [acks.handBack(message), ended()],
      };
    });
    return {
      ...counting,
      claims: {
        ...parts.claims,
        async claim(job, ...how) {
          if (bulk > 0 && (job as ReceivedJob).lane === "interactive")
            await Promise.race([whenNone.promise, sleep(BULK_FIRST_MS)]);
          return parts.claims.claim(job, ...how);
        },
      },
    };
  },
  /** As amqplib does by itself with what it can't decode: the broker delivers it all over again, for ever. */
  "undecodable-ends-connection": (parts) => ({
    ...parts,
    receive(delivery) {
      const received = parts.receive(delivery);
      if (delivery.undecodable !== undefined) {
        const { connection } = delivery.acks.channel as unknown as {
          connection: { stream: { destroy(): void } };
        };
        connection.stream.destroy();
      }
      return received;
    },
  }),
};
