/** What engines and subscriptions that are gone left behind: it goes on being filled. */
import { findLeftovers } from "@tl-engine/shared/broker/leftovers";
import { type Check, ok, warning } from "../check.ts";
import type { Management } from "./source.ts";

export const orphans: Check<Management> = {
  name: "orphans",
  looksAt: "queues, exchanges and bindings that no definition has any more",
  async run({ url, amqpUrl, topology }, { names }) {
    const { queues, exchanges, bindings } = await findLeftovers(
      url,
      amqpUrl,
      names.prefix,
      topology,
    );
    const count = queues.length + exchanges.length + bindings.length;
    if (count === 0) return ok("none");
    const what = [
      ...queues.map((name) => `the queue ${name}`),
      ...exchanges.map((name) => `the exchange ${name}`),
      ...bindings.map(
        ({ queue, exchange, routingKey }) => `${queue} bound to ${exchange} (${routingKey})`,
      ),
    ];
    return warning(
      `${count} left over`,
      `no definition knows ${what.slice(0, 5).join(", ")}${count > 5 ? ", …" : ""}: of an engine or a subscription that is gone, or of REPLY_EXCHANGE when it was set`,
      "make topology, which unbinds them, then make topology PRUNE=1 where they are empty",
    );
  },
};
