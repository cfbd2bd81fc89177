/** Whether a policy overrides what our queues promise. */
import { overridesIn } from "@tl-engine/shared/broker/policies";
import { type Check, failure, ok } from "../check.ts";
import type { Management } from "./source.ts";

export const policies: Check<Management> = {
  name: "policies",
  looksAt: "no policy changes what our queues promise",
  async run({ queues, vhost }) {
    const overridden = queues.flatMap((queue) => {
      const keys = overridesIn(queue);
      return keys.length === 0 ? [] : [{ queue: queue.name, policy: queue.policy, keys }];
    });
    const [first] = overridden;
    if (first === undefined) return ok(`none on ${queues.length} queues`);
    return failure(
      `a policy overrides ${overridden.length} queues`,
      `${overridden.map(({ queue, policy, keys }) => `${policy} sets ${keys.join(", ")} on ${queue}`).join("; ")}: jobs are lost, redirected or limited behind our back`,
      `rabbitmqctl list_policies -p '${vhost}', then leave our queues out of the pattern of ${first.policy}`,
    );
  },
};
