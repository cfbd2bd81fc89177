/** What every worker must do, whatever its engine: one suite, run against each of them on real services. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Action, Example, WorkerDefinition } from "../engine/define-worker.ts";
import { exampleJobs } from "../engine/example-jobs.ts";
import { inputSchema, outputSchema } from "../engine/published-schema.ts";
import { startWorkerProcess, type WorkerProcess, workerArgs } from "../services/worker-process.ts";
import { DELAY_TIERS } from "../wire/names.ts";
import { linksThroughProxies } from "./cut-links.ts";
import { openTestFleet, type TestFleet } from "./fleet.ts";
import { sampleInputs } from "./schema-arbitrary.ts";
import { faultsIn } from "./schema-faults.ts";

export interface Conformance {
  definition: WorkerDefinition;
  /** URL of the worker's index.ts, from which a process of its own is started. */
  file: URL;
  /**
   * A good job of the engine; the input may depend on the job's number, so that jobs differ. What the engine
   * stores under the given workspace is removed in the end. Default: its examples; without any, the first action,
   * with inputs that its schema takes.
   */
  job?: GoodJob;
}

interface GoodJob {
  action: string;
  input: (n: number, workspaceId: string) => unknown;
}

/** With its job, whether given or from the schema. */
export interface Conforming extends Conformance {
  job: GoodJob;
}

/** Where the suite runs, and as whom its worker does. */
export interface Stage {
  fleet: TestFleet;
  /** The worker's variables, where they differ from the fleet's. */
  env: Record<string, string>;
  /** Its DATABASE_URL through a pooler in transaction mode; undefined where there is none. */
  poolerUrl: string | undefined;
  close(): Promise<void>;
}

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

/** Set while suites are collected. */
let collected: Conforming[] | undefined;

/**
 * What `conformance` was called with while `load` ran, in place of registering it: for who runs the suites of all
 * engines on a stage of its own.
 */
export async function collectConformance(load: () => Promise<unknown>): Promise<Conforming[]> {
  const found: Conforming[] = [];
  collected = found;
  try {
    await load();
  } finally {
    collected = undefined;
  }
  return found;
}

/** A fleet of the engine's own, on which it has every right. */
async function openOwnStage({ definition, file }: Conformance): Promise<Stage> {
  const fleet = await openTestFleet([definition], [dirname(fileURLToPath(file))]);
  return { fleet, env: {}, poolerUrl: process.env.POOLER_URL, close: fleet.close };
}

/** Registers the suite. */
export function conformance(
  given: Conformance,
  open: (worker: Conformance) => Promise<Stage> = openOwnStage,
): void {
  const { definition } = given;
  const worker = {
    ...given,
    job: given.job ?? exampleJobs(definition) ?? jobFromSchema(definition),
  };
  if (collected !== undefined) {
    collected.push(worker);
    return;
  }
  let stage: Stage;

  describe(`${definition.name} conforms`, () => {
    beforeAll(async () => {
      stage = await open(worker);
    });
    afterAll(() => stage?.close());
    const jobs = () => jobsOf(stage.fleet, worker);

    test("answers, stores and acks good jobs; refuses bad ones; answers a duplicate from the store", () =>
      answersGoodAndBad(stage, worker, jobs()));

    test.each(examplesOf(definition))(
      "answers the example of $action: $title",
      ({ action, input }) => answersExample(stage, definition, action, input),
    );

    test("finishes every job once when each of its connections is cut in the middle", () =>
      survivesCuts(stage, definition, jobs()));

    test("drains on SIGTERM, exits 0, and loses nothing; SIGKILL loses nothing either", () =>
      drainsAndDies(stage, worker, jobs()));

    test("leaves no connection behind when it stops", () =>
      leavesNoConnection(stage, definition, jobs()));

    test("works through a pooler in transaction mode", async (context) => {
      const { fleet, env, poolerUrl } = stage;
      if (poolerUrl === undefined) return context.skip();
      const running = await fleet.start(definition, { ...env, DATABASE_URL: poolerUrl });
      await jobs().allSucceed(await jobs().publishMany(50));
      await running.stop();
    });
  });
}

function jobFromSchema({ name, actions }: WorkerDefinition): GoodJob {
  const [first] = Object.entries(actions);
  if (first === undefined) throw new TypeError(`${name} has no action`);
  const inputs = sampleInputs(first[1].input, 20);
  return { action: first[0], input: (n) => inputs[n % inputs.length] };
}

type Jobs = ReturnType<typeof jobsOf>;

const examplesOf = ({ actions }: WorkerDefinition) =>
  Object.entries(actions).flatMap(([action, { examples = [] }]: [string, Action]) =>
    examples.map(({ title, input }) => ({ action, title, input })),
  );

/** Runs one through the real handler; input and output are as their published schemas say. */
async function answersExample(
  { fleet, env }: Stage,
  definition: WorkerDefinition,
  actionName: string,
  input: Example["input"],
): Promise<void> {
  const action = definition.actions[actionName] as Action;
  const sent = input(0, fleet.names.prefix);
  expect(faultsIn(inputSchema(action.input, "published"), sent)).toEqual([]);
  const worker = await fleet.start(definition, env);
  const id = await fleet.publish(definition.name, actionName, sent);
  const { reply } = await fleet.reply(id);
  if (reply.status !== "succeeded") throw new Error(JSON.stringify(reply));
  expect(faultsIn(outputSchema(action.output), reply.output)).toEqual([]);
  await worker.stop();
}

/** The engine's good jobs: how they are published, and what must become of each. */
function jobsOf(fleet: TestFleet, { definition: { name: engine }, job }: Conforming) {
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
  { fleet, env }: Stage,
  { definition, job }: Conforming,
  { publish, publishMany, allSucceed }: Jobs,
): Promise<void> {
  const engine = definition.name;
  const worker = await fleet.start(definition, env);
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

/** The addresses that its worker connects to. */
const urlsOf = ({ fleet, env }: Stage) => ({ ...fleet.config, ...env });

async function survivesCuts(
  stage: Stage,
  definition: WorkerDefinition,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const { fleet, env } = stage;
  const links = await linksThroughProxies(urlsOf(stage));
  onTestFinished(() => links.close());
  const worker = await fleet.start(definition, { ...env, ...links.env });
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
  stage: Stage,
  worker: Conformance,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const { fleet } = stage;
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
  const drained = await endInTheMiddle(await startReady(stage, worker), "SIGTERM");
  expect(drained).toMatchObject({ code: 0 });
  const killed = await endInTheMiddle(await startReady(stage, worker), "SIGKILL");
  expect(killed).toMatchObject({ signal: "SIGKILL" });
  const last = await startReady(stage, worker);
  await allSucceed(ids);
  // What was answered and not acked by the killed one may wait over there for the end of its lease.
  await areEmpty(
    fleet,
    DELAY_TIERS.map(({ name }) => fleet.names.delay(name)),
  );
  expect(await last.stop()).toMatchObject({ code: 0 });
  await isEmpty(fleet, worker.definition.name);
}

/** A worker process, as in production, that takes jobs. */
async function startReady({ fleet, env }: Stage, { file }: Conformance): Promise<WorkerProcess> {
  const lines: string[] = [];
  const child = startWorkerProcess({
    args: workerArgs(fileURLToPath(file)),
    cwd: REPOSITORY,
    env: { ...process.env, ...fleet.env, ...env, LOG_LEVEL: "info" },
    output: (line) => lines.push(line),
  });
  onTestFinished(() => child.signal("SIGKILL"));
  await child.ready.catch((cause) => {
    throw new Error(lines.join("\n"), { cause });
  });
  return child;
}

async function leavesNoConnection(
  stage: Stage,
  definition: WorkerDefinition,
  { publishMany, allSucceed }: Jobs,
): Promise<void> {
  const { fleet, env } = stage;
  const links = await linksThroughProxies(urlsOf(stage));
  onTestFinished(() => links.close());
  const worker = await fleet.start(definition, { ...env, ...links.env });
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

const isEmpty = (fleet: TestFleet, engine: string) => areEmpty(fleet, [fleet.names.queue(engine)]);

/** A quorum queue's count lags behind. */
async function areEmpty(fleet: TestFleet, queues: string[]): Promise<void> {
  for (const queue of queues)
    await fleet.until(`${queue} to be empty`, async () => {
      const { messageCount } = await fleet.channel.checkQueue(queue);
      return messageCount === 0 ? true : undefined;
    });
}
