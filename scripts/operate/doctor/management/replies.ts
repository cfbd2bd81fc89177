/** By which exchange replies go, and whether those who wait for them listen there. */
import { type Check, failure, ok, warning } from "../check.ts";
import type { Management } from "./source.ts";

interface SeenExchange {
  name: string;
  type: string;
}
interface SeenBinding {
  source: string;
  destination: string;
}

export const replies: Check<Management> = {
  name: "replies",
  looksAt: "the mode of replies (REPLY_EXCHANGE), and whether the topology agrees",
  async run({ get, vhost }, { config: { REPLY_EXCHANGE: chosen }, names }) {
    const exchanges = (await get("exchanges", vhost)) as SeenExchange[];
    if (chosen !== "") {
      const found = exchanges.find(({ name }) => name === chosen);
      if (found === undefined)
        return failure(
          `no exchange ${chosen}`,
          `REPLY_EXCHANGE=${chosen} and the broker has no such exchange: no worker starts, and no reply goes out`,
          "make topology",
        );
      if (found.type !== "topic")
        return failure(
          `${chosen} is of type ${found.type}`,
          "only of a topic exchange the broker checks the key, too: every caller could hear the replies of others",
          `delete the exchange ${chosen} (rabbitmqadmin delete exchange name=${chosen}), then make topology`,
        );
      return ok(`by ${chosen}`);
    }
    const other = `${names.prefix}.replies`;
    if (!exchanges.some(({ name }) => name === other)) return ok("by the default exchange");
    const bindings = (await get("bindings", vhost)) as SeenBinding[];
    const listening = bindings.filter(({ source }) => source === other);
    if (listening.length === 0) return ok("by the default exchange");
    return warning(
      `by the default exchange, and ${listening.length} queues listen on ${other}`,
      `REPLY_EXCHANGE is empty here, and callers bind their queues to ${other} as for the other mode: workers and callers must be set alike`,
      `set REPLY_EXCHANGE=${other} for the workers, or take replyExchange from the callers`,
    );
  },
};
