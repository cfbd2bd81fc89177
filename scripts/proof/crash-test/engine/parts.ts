/** Wraps the parts of the runtime so that each step of a job's life is reported, without a hook in the product. */
import type { Outgoing } from "../../../../shared/broker/publish-frames.ts";
import type { Parts } from "../../../../shared/worker.ts";
import { reach, type Step, sending } from "./steps.ts";

const jobOf = ({ correlationId, messageId }: Outgoing) => correlationId?.toString() ?? messageId;

/** By where a message goes: its step on the way, and the one once it is confirmed. */
function stepsOf(exchange: string, routingKey: string): [Step, Step] {
  if (exchange.includes(".delay.")) return ["tier-sent", "tiered"];
  if (exchange.endsWith(".events")) return ["event-sent", "published"];
  if (routingKey.endsWith(".dead")) return ["letter-sent", "dead-lettered"];
  return ["reply-sent", "published"];
}

export function withSteps(parts: Parts): Parts {
  const { receive, claims, commits, publisher } = parts;
  return {
    ...parts,
    receive(delivery) {
      const received = receive(delivery);
      void reach("received", received.id);
      const { acks, message } = delivery;
      // One delivery's own view of its channel's acks, whose class has private state.
      delivery.acks = new Proxy(acks, {
        get(target, key) {
          const value = Reflect.get(target, key, target);
          if (key !== "ack") return typeof value === "function" ? value.bind(target) : value;
          return () => {
            target.ack(message);
            // Acks leave together at the end of the event loop's turn.
            setImmediate(() => void reach("acked", received.id));
          };
        },
      });
      return received;
    },
    claims: {
      ...claims,
      async claim(job, ...how) {
        const claim = await claims.claim(job, ...how);
        if (claim.kind === "run") await reach("claimed", job.id);
        return claim;
      },
      async unclaim(what, job, token, attempt, next) {
        await claims.unclaim(what, job, token, attempt, next);
        if (what === "done") await reach("marked-done", job.id);
        if (what === "retry") await reach("attempt-recorded", job.id);
      },
    },
    commits: {
      ...commits,
      async commit(row) {
        await reach("ran", row.jobId);
        await reach("committing", row.jobId);
        const committed = await commits.commit(row);
        await reach("committed", row.jobId);
        return committed;
      },
      async commitIn(client, rows) {
        await reach("ran", rows[0]?.jobId);
        await reach("committing", rows[0]?.jobId);
        const committed = await commits.commitIn(client, rows);
        await reach("committed", rows[0]?.jobId);
        return committed;
      },
    },
    publisher: {
      ...publisher,
      async publish(outgoing, signal) {
        const { exchange, routingKey } = outgoing;
        const [sent, confirmed] = stepsOf(exchange, routingKey);
        const published = await sending(sent, jobOf(outgoing), () =>
          publisher.publish(outgoing, signal),
        );
        await reach(confirmed, jobOf(outgoing));
        return published;
      },
    },
  };
}
