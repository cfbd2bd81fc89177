/** Whether all that the workers look for is there: by AMQP alone, so that it needs no management API. */
import type { Connection } from "@tl-engine/shared/broker/connection";
import { BrokerFailure } from "@tl-engine/shared/broker/explain";
import { verifyTopology } from "@tl-engine/shared/broker/topology";
import { BURIALS } from "@tl-engine/shared/wire/names";
import { type Check, failure, ok } from "../check.ts";

export const topology: Check<Connection> = {
  name: "topology",
  looksAt: "queues and exchanges of every engine are there, and that of replies (REPLY_EXCHANGE)",
  async run({ model }, { config: { REPLY_EXCHANGE: replyExchange }, names, workers }) {
    const engines = new Set([BURIALS, ...workers.map(({ definition }) => definition.name)]);
    const failed: BrokerFailure[] = [];
    for (const engine of engines)
      try {
        await verifyTopology(model, engine, names, { replyExchange });
      } catch (error) {
        if (!(error instanceof BrokerFailure)) throw error;
        failed.push(error);
      }
    const [first] = failed;
    if (first === undefined)
      return ok(`${engines.size} engines, replies by ${replyExchange || "the default exchange"}`);
    return failure(`${failed.length} engines lack something`, first.message, "make topology");
  },
};
