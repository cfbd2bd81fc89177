/** Whether the queues were declared as this version declares them. */
import { isDeepStrictEqual } from "node:util";
import { type Check, failure, ok } from "../check.ts";
import type { Management } from "./source.ts";

export const queueArguments: Check<Management> = {
  name: "arguments",
  looksAt: "queues are there, with the arguments that the code declares",
  async run({ queues, topology, vhost }) {
    const seen = new Map(queues.map(({ name, arguments: args }) => [name, args ?? {}]));
    const missing = topology.queues.filter(({ name }) => !seen.has(name)).map(({ name }) => name);
    if (missing.length > 0)
      return failure(
        `${missing.length} queues are missing`,
        `not there: ${missing.join(", ")}`,
        "make topology",
      );
    const different = topology.queues.flatMap(({ name, arguments: wanted }) => {
      const args = seen.get(name) ?? {};
      const keys = [...new Set([...Object.keys(wanted), ...Object.keys(args)])];
      const others = keys.filter((key) => !isDeepStrictEqual(wanted[key], args[key]));
      return others.length === 0 ? [] : [`${name} (${others.join(", ")})`];
    });
    if (different.length === 0) return ok(`${topology.queues.length} queues`);
    return failure(
      `${different.length} queues have other arguments`,
      `declared by another version, or by hand: ${different.join(", ")}`,
      `stop the workers, drain and delete the queue (rabbitmqctl delete_queue -p '${vhost}' <queue>), then make topology`,
    );
  },
};
