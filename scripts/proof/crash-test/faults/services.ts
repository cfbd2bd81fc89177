/** Faults of the services themselves: killed, emptied, full, under an alarm, out of connections. */
import { setTimeout as sleep } from "node:timers/promises";
import { restartIfStranded } from "../stranded.ts";
import type { Context, Fault, ServiceName } from "./fault.ts";

function killed(service: ServiceName, weight: number): Fault {
  return {
    kind: `${service}-killed`,
    needs: "own services",
    touches: [service],
    weight,
    holdMs: 800,
    async inject({ own }) {
      await own?.[service].kill();
      return () => own?.[service].start();
    },
  };
}

/** Turns something of the own broker on with rabbitmqctl, and off again. */
function alarm(kind: string, on: string[], off: string[]): Fault {
  return {
    kind,
    needs: "own services",
    touches: ["broker"],
    weight: 1,
    holdMs: 3_000,
    async inject(context) {
      await context.rabbitmqctl(...on);
      void context.load.burst(30);
      return async () => void (await context.rabbitmqctl(...off));
    },
  };
}

/** Runs an Erlang expression in the own broker on one consumer of the engine's queue: `Ch` its channel, `Tag` its tag. */
async function onConsumer(context: Context, expression: string): Promise<void> {
  const { rabbitmqctl, reach } = context;
  const answer = await rabbitmqctl(
    "eval",
    `{ok, Queue} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"${reach.vhost}">>, queue, <<"${reach.engineQueue}">>)),
     case rabbit_amqqueue:consumers(Queue) of
       [] -> none;
       Consumers ->
         Consumer = lists:nth(rand:uniform(length(Consumers)), Consumers),
         Ch = element(1, Consumer), Tag = element(2, Consumer),
         ${expression}, hit
     end.`,
  );
  context.note(answer.trim());
}

/** Sends basic.cancel as a broker does that lost the queue. Element 6 of the channel's configuration is its writer. */
const CANCEL = `Writer = element(6, element(2, element(4, sys:get_state(Ch)))),
  rabbit_writer:send_command(Writer, {list_to_atom("basic.cancel"), Tag, true})`;

/** Shortens the channel's consumer timeout (30 min) to 1 ms and lets it look. */
const TIME_OUT = `sys:replace_state(Ch, fun(State) ->
    Channel = element(4, State),
    Short = [case E of 1800000 -> 1; _ -> E end || E <- tuple_to_list(element(2, Channel))],
    setelement(4, State, setelement(2, Channel, list_to_tuple(Short)))
  end), Ch ! tick`;

function consumerFault(kind: string, expression: string): Fault {
  return {
    kind,
    needs: "own services",
    touches: ["broker"],
    weight: 1,
    holdMs: 300,
    async inject(context) {
      void context.load.one("slow", { durationMs: 2_000 }, 3);
      await context.load.burst(20);
      await onConsumer(context, expression);
      return undefined;
    },
  };
}

const brokerFaults: Fault[] = [
  {
    kind: "connection-closed",
    needs: "management",
    touches: ["broker"],
    weight: 2,
    holdMs: 300,
    async inject(context) {
      const closed = await context.reach.closeConnections(context.random.chance(0.5) ? 1 : 100);
      context.note(`${closed} connections`);
      return undefined;
    },
  },
  consumerFault("consumer-cancelled", CANCEL),
  consumerFault("consumer-timeout", TIME_OUT),
  consumerFault("channel-crashed", "exit(Ch, crash_test)"),
  {
    // RabbitMQ 3.10 does not always bear it, least of all when it is killed later: see stranded.ts.
    kind: "queue-deleted",
    needs: "management",
    touches: ["broker"],
    weight: 0,
    holdMs: 700,
    async inject(context) {
      await context.reach.deleteQueue();
      // Told after the fact, so that everything published before it counts as swallowed.
      context.history.append({ kind: "queue-deleted" });
      return async () => {
        await restartIfStranded(context, context.note);
        await context.declareTopology();
        await restartIfStranded(context, context.note);
        context.history.append({ kind: "queue-deleted" });
      };
    },
  },
  {
    kind: "tiers-unbound",
    touches: ["broker"],
    weight: 1,
    holdMs: 2_500,
    async inject(context) {
      const { load, reach } = context;
      const rebind = await reach.unbindTiers();
      for (let count = 0; count < 6; count++) void load.one("flaky", { failures: 1 });
      return rebind;
    },
  },
  alarm(
    "memory-alarm",
    ["set_vm_memory_high_watermark", "0.00001"],
    ["set_vm_memory_high_watermark", "0.8"],
  ),
  alarm("disk-alarm", ["set_disk_free_limit", "900000GB"], ["set_disk_free_limit", "50MB"]),
];

const postgresFaults: Fault[] = [
  {
    kind: "backends-terminated",
    touches: ["postgres"],
    weight: 3,
    holdMs: 100,
    async inject(context) {
      for (let round = 0; round < 3; round++) {
        await context.load.burst(15);
        await context.reach.terminateBackends();
      }
      return undefined;
    },
  },
  {
    kind: "too-many-connections",
    touches: ["postgres"],
    weight: 1,
    holdMs: 2_500,
    async inject({ reach }) {
      const release = await reach.fillConnections();
      return release;
    },
  },
  {
    kind: "postgres-read-only",
    touches: ["postgres"],
    weight: 1,
    holdMs: 2_500,
    async inject({ reach }) {
      await reach.setPostgresReadOnly(true);
      return () => reach.setPostgresReadOnly(false);
    },
  },
  {
    kind: "table-locked",
    touches: ["postgres"],
    weight: 1,
    holdMs: 2_500,
    inject: ({ reach }) => reach.lockResults(),
  },
];

const redisFaults: Fault[] = [
  {
    kind: "redis-flushed",
    touches: ["redis"],
    weight: 2,
    holdMs: 100,
    async inject({ reach }) {
      await reach.flushRedis();
      await sleep(200);
      await reach.flushRedis();
      return undefined;
    },
  },
  {
    kind: "redis-emptied",
    needs: "own services",
    touches: ["redis"],
    weight: 1,
    holdMs: 800,
    async inject({ own, reach }) {
      await own?.redis.kill();
      return async () => {
        await own?.redis.start();
        await reach.flushRedis();
      };
    },
  },
  {
    kind: "redis-full",
    touches: ["redis"],
    weight: 1,
    holdMs: 2_500,
    async inject({ reach }) {
      await reach.setRedisLimit(1);
      return () => reach.setRedisLimit(0);
    },
  },
  {
    kind: "redis-read-only",
    touches: ["redis"],
    weight: 1,
    holdMs: 2_500,
    async inject({ reach }) {
      await reach.setRedisReadOnly(true);
      return () => reach.setRedisReadOnly(false);
    },
  },
  {
    kind: "redis-paused",
    touches: ["redis"],
    weight: 1,
    holdMs: 3_000,
    async inject({ reach }) {
      await reach.pauseRedis(3_000);
      return undefined;
    },
  },
];

export function serviceFaults(): Fault[] {
  return [
    killed("broker", 0.2),
    killed("postgres", 1),
    killed("redis", 1),
    ...brokerFaults,
    ...postgresFaults,
    ...redisFaults,
  ];
}
