/** What every worker must do, whatever its engine: one suite, run against each of them on real services. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Action, Example, WorkerDefinition } from "../engine/define-worker.ts";
import { type ExampleJobs, exampleJobs } from "../engine/example-jobs.ts";
import { inputSchema, outputSchema } from "../engine/published-schema.ts";
import { startWorkerProcess, type WorkerProcess, workerArgs } from "../services/worker-process.ts";
import { linksThroughProxies } from "./cut-links.ts";
import { openTestFleet, type TestFleet } from "./fleet.ts";
import { faultsIn } from "./schema-faults.ts";

export interface Conformance {
  definition: WorkerDefinition;
  /** URL of the worker's index.ts, from which a process of its own is started. */
  file: URL;
}

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** Registers the suite. */
export function conformance(worker: Conformance): void {
  const { definition, file } = worker;
  let fleet: TestFleet;

  describe(`${definition.name} conforms`, () => {
    beforeAll(async () => {
      fleet = await openTestFleet([definition], [dirname(fileURLToPath(file))]);
    });
    afterAll(() => fleet?.close());
    const jobs = () => jobsOf(fleet, worker);

    test("answers, stores and acks good jobs; refuses bad ones; answers a duplicate from the store", () =>
      answersGoodAndBad(fleet, worker, jobs()));

    test.each(examplesOf(definition))(
      "answers the example of $action: $title",
      ({ action, input }) => answersExample(fleet, definition, action, input),
    );

    test("finishes every job once when each of its connections is cut in the middle", () =>
      survivesCuts(fleet, definition, jobs()));

    test("drains on SIGTERM, exits 0, and loses nothing; SIGKILL loses nothing either", () =>
      drainsAndDies(fleet, worker, jobs()));

    test("leaves no connection behind when it stops", () =>
      leavesNoConnection(fleet, definition, jobs()));

    test.skipIf(!process.env.POOLER_URL)("works through a pooler in transaction mode", async () => {
      const running = await fleet.start(definition, {
        DATABASE_URL: String(process.env.POOLER_URL),
      });
      await jobs().allSucceed(await jobs().publishMany(50));
      await running.stop();
    });
  });
}

type Jobs = ReturnType<typeof jobsOf>;

/** What it runs: the engine's own examples. */
function jobOf(definition: WorkerDefinition): ExampleJobs {
  const jobs = exampleJobs(definition);
  if (jobs) return jobs;
  throw new TypeError(`${definition.name}: give an action examples; the suite publishes them`);
}

const examplesOf = ({ actions }: WorkerDefinition) =>
  Object.entries(actions).flatMap(([action, { examples = [] }]: [string, Action]) =>
    examples.map(({ title, input }) => ({ action, title, input })),
  );

/** Runs one through the real handler; input and output are as their published schemas say. */
async function answersExample(
  fleet: TestFleet,
  definition: WorkerDefinition,
  actionName: string,
  input: Example["input"],
): Promise<void> {
  const action = definition.actions[actionName] as Action;
  const sent = input(0, fleet.names.prefix);
  expect(faultsIn(inputSchema(action.input, "published"), sent)).toEqual([]);
  const worker = await fleet.start(definition);
  const id = await fleet.publish(definition.name, actionName, sent);
  const { reply } = await fleet.reply(id);
  if (reply.status !== "succeeded") throw new Error(JSON.stringify(reply));
  expect(faultsIn(outputSchema(action.output), reply.output)).toEqual([]);
  await worker.stop();
}

/** The engine's good jobs: how they are published, and what must become of each. */
function jobsOf(fleet: TestFleet, { definition }: Conformance) {
  const engine = definition.name;
  const job = jobOf(definition);
  const publish = (n: number, properties = {}) =>
    fleet.publish(engine, job.action, job.input(n, fleet.names.prefix), properties);
  return {
    publish,
    publishMany: (count: number) =>
      Promise.all(Array.from({ length: count }, (_, n) => publish(n))),
    async allSucceed(ids: string[]): Promise<void> {
      for (const id of ids) {
        expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
        expect(await fleet.rows(id)).toMatchObject([{ engine, status: "succeeded", attempt: 1 }]);
      }
    },
  };
}

async function answersGoodAndBad(
  fleet: TestFleet,
  { definition }: Conformance,
  { publish, publishMany, allSucceed }: Jobs,
): Promise<void> {
  const engine = definition.name;
  const job = jobOf(definition);
  const worker = await fleet.start(definition);
  const ids = await publishMany(50);
  await allSucceed(ids);

  const bad = await fleet.publish(engine, job.action, undefined, { body: Buffer.from("{") });
  expect((await fleet.reply(bad)).reply).toMatchObject({ error: { code: "invalid_input" } });
  const type = `${engine}.no-such-action.v1`;
  const unknown = await fleet.publish(engine, job.action, {}, { type });
  expect((await fleet.reply(unknown)).reply).toMatchObject({ error: { code: "unknown_action" } });
  expect(await fleet.deadLetters(engine)).toHaveLength(2);

  const first = await fleet.reply(String(ids[0]));
  await publish(0, { messageId: ids[0], correlationId: ids[0] });
  const again = await fleet.reply(String(ids[0]), 2);
  expect([again.id, again.text]).toEqual([first.id, first.text]);
  expect(await fleet.rows(String(ids[0]))).toHaveLength(1);
  await worker.stop();
  // Acked: nothing comes back when its connection is gone.
  await isEmpty(fleet, engine);
}

async function survivesCuts(
  fleet: TestFleet,
  definition: WorkerDefinition,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const links = await linksThroughProxies(fleet.config);
  onTestFinished(() => links.close());
  const worker = await fleet.start(definition, links.env);
  const uncut = links.cutInTheMiddle();
  const ids = await publishMany(200);
  await fleet.until("the cuts", () => (uncut().length === 0 ? true : undefined));
  await allSucceed(ids);
  await fleet.until("the worker is ready again", () => (worker.notReady() ? undefined : true));
  // The old ones were cut, so these are new.
  expect(links.broker.connections()).toBe(2);
  await worker.stop();
}

async function drainsAndDies(
  fleet: TestFleet,
  worker: Conformance,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const ids: string[] = [];
  /** Ends the process as soon as it has answered one of many jobs. */
  const endInTheMiddle = async (child: WorkerProcess, signal: NodeJS.Signals) => {
    const before = fleet.replies.length;
    const published = publishMany(200);
    await fleet.until("its first reply", () => fleet.replies.length > before || undefined);
    child.signal(signal);
    ids.push(...(await published));
    return child.ended;
  };
  const drained = await endInTheMiddle(await startReady(fleet, worker), "SIGTERM");
  expect(drained).toMatchObject({ code: 0 });
  const killed = await endInTheMiddle(await startReady(fleet, worker), "SIGKILL");
  expect(killed).toMatchObject({ signal: "SIGKILL" });
  const last = await startReady(fleet, worker);
  await allSucceed(ids);
  expect(await last.stop()).toMatchObject({ code: 0 });
  await isEmpty(fleet, worker.definition.name);
}

/** A worker process, as in production, that takes jobs. */
async function startReady(fleet: TestFleet, { file }: Conformance): Promise<WorkerProcess> {
  const lines: string[] = [];
  const child = startWorkerProcess({
    args: workerArgs(fileURLToPath(file)),
    cwd: REPOSITORY,
    env: { ...process.env, ...fleet.env, LOG_LEVEL: "info" },
    output: (line) => lines.push(line),
  });
  onTestFinished(() => child.signal("SIGKILL"));
  await child.ready.catch((cause) => {
    throw new Error(lines.join("\n"), { cause });
  });
  return child;
}

async function leavesNoConnection(
  fleet: TestFleet,
  definition: WorkerDefinition,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const links = await linksThroughProxies(fleet.config);
  onTestFinished(() => links.close());
  const worker = await fleet.start(definition, links.env);
  await allSucceed(await publishMany(5));
  for (const link of [links.broker, links.database, links.redis])
    expect(link.connections()).toBeGreaterThan(0);
  await worker.stop();
  await fleet.until("its connections are gone", () =>
    links.connections() === 0 ? true : undefined,
  );
  const { consumerCount } = await fleet.channel.checkQueue(fleet.names.queue(definition.name));
  expect(consumerCount).toBe(0);
}

/** A quorum queue's count lags behind. */
async function isEmpty(fleet: TestFleet, engine: string): Promise<void> {
  await fleet.until("an empty queue", async () => {
    const { messageCount } = await fleet.channel.checkQueue(fleet.names.queue(engine));
    return messageCount === 0 ? true : undefined;
  });
}
