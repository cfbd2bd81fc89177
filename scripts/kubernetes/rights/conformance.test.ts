/** Every engine does its whole work under exactly the rights that `make rights` prints, on all three services at once. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openConnection } from "../../../shared/broker/connection.ts";
import { loadWorkers } from "../../workers.ts";
import { conformanceSuites } from "./testing/conformance-suites.ts";
import { hasBrokerUsers, openRightsFleet, type RightsFleet } from "./testing/rights-fleet.ts";

const workers = await loadWorkers();
const suites = await conformanceSuites(workers);

test("every engine that takes jobs has the suite", () => {
  const taking = workers.filter(({ definition }) => Object.keys(definition.actions).length > 0);
  expect(suites.map(({ definition }) => definition.name)).toEqual(
    taking.map(({ definition }) => definition.name),
  );
});

describe.runIf(hasBrokerUsers).each([
  ["the default exchange", () => ""],
  ["an exchange of their own", (prefix: string) => `${prefix}.replies`],
] as const)("with replies through %s", (_, replyExchangeOf) => {
  let stage: RightsFleet;
  beforeAll(async () => {
    stage = await openRightsFleet(replyExchangeOf);
  });
  afterAll(() => stage?.close());

  for (const suite of suites)
    conformance(suite, async ({ definition: { name } }) => ({
      ...{ fleet: stage.fleet, env: stage.envOf(name) },
      poolerUrl: await stage.poolerUrlOf(name),
      // The next engine's, too.
      close: async () => {},
    }));

  test("what an engine announces runs in those that listen to it", async () => {
    const { fleet } = stage;
    const running = workers.map(({ definition }) =>
      fleet.start(definition, stage.envOf(definition.name)),
    );
    onTestFinished(async () => {
      for (const worker of await Promise.all(running)) await worker.stop();
    });
    await Promise.all(running);
    for (const { definition, job } of suites)
      for (let n = 0; n < 5; n++)
        await fleet.publish(definition.name, job.action, job.input(n, fleet.names.prefix));
    // By these jobs: what others announce, such as deadlines, nobody waits for here.
    const announced = new Set(
      suites.flatMap(({ definition: { actions }, job: { action } }) =>
        Object.keys(actions[action]?.emits ?? {}),
      ),
    );
    let heard = 0;
    for (const { definition } of workers)
      for (const type of Object.keys(definition.on ?? {})) {
        if (!announced.has(type)) continue;
        heard++;
        const { name } = definition;
        await fleet.until(`a result of ${name} for ${type}`, async () => {
          const { rows } = await fleet.pool.query(
            "select status from engine.results where engine = $1 and type = $2",
            [name, type],
          );
          return rows.some(({ status }) => status === "succeeded") || undefined;
        });
      }
    expect(heard).toBeGreaterThan(0);
  });

  test("burials end what expired in a queue, and give back what never ran", async () => {
    const { fleet } = stage;
    const [{ definition, job }] = suites as [(typeof suites)[number]];
    const queue = fleet.names.queue(definition.name);
    await allowOneDelivery(stage, definition.name);
    const input = () => job.input(0, fleet.names.prefix);
    const expired = await fleet.publish(definition.name, job.action, input(), { expiration: "1" });
    const untried = await fleet.publish(definition.name, job.action, input());
    for (let deliveries = 0; deliveries < 2; deliveries++) await crash(stage, queue);
    const burials = workers.find(
      ({ definition: { actions } }) => Object.keys(actions).length === 0,
    );
    for (const found of [burials?.definition ?? definition, definition]) {
      const worker = await fleet.start(found, stage.envOf(found.name));
      onTestFinished(() => worker.stop());
    }
    expect((await fleet.reply(expired)).reply).toMatchObject({ error: { code: "expired" } });
    expect((await fleet.reply(untried)).reply).toMatchObject({ status: "succeeded" });
  });
});

/** The engine's queue as it is declared, but for the limit, which takes 2,000 deliveries otherwise. */
async function allowOneDelivery({ fleet }: RightsFleet, engine: string): Promise<void> {
  const queue = fleet.names.queue(engine);
  await fleet.channel.deleteQueue(queue);
  await fleet.channel.assertQueue(queue, {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-delivery-limit": 1,
      "x-dead-letter-exchange": fleet.names.burials,
      "x-dead-letter-strategy": "at-least-once",
      "x-overflow": "reject-publish",
    },
  });
  await fleet.channel.bindQueue(queue, fleet.names.jobs, engine);
}

/** A consumer that is gone with the one message that it holds. */
async function crash({ fleet }: RightsFleet, queue: string): Promise<void> {
  const { model } = await openConnection(fleet.config, "crashing");
  const channel = await model.createChannel();
  const { promise: held, resolve } = Promise.withResolvers<void>();
  await channel.consume(queue, () => resolve());
  await held;
  await model.close();
}
