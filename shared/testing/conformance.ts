/** What every worker must do, whatever its engine: one suite, run against each of them on real services. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../broker/management.ts";
import type { WorkerDefinition } from "../engine/define-worker.ts";
import { openTestFleet, type TestFleet } from "./fleet.ts";

export interface Conformance {
  definition: WorkerDefinition;
  /** URL of the worker's index.ts, from which a process of its own is started. */
  file: URL;
  /** A good job of the engine; the input may depend on the job's number, so that jobs differ. */
  job: { action: string; input: (n: number) => unknown };
}

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Registers the suite. */
export function conformance({ definition, file, job }: Conformance): void {
  const engine = definition.name;
  const path = fileURLToPath(file);
  let fleet: TestFleet;
  const children: ChildProcess[] = [];

  const publish = (n: number, properties = {}) =>
    fleet.publish(engine, job.action, job.input(n), properties);

  async function publishMany(count: number): Promise<string[]> {
    return Promise.all(Array.from({ length: count }, (_, n) => publish(n)));
  }

  async function allSucceed(ids: string[]): Promise<void> {
    for (const id of ids) {
      expect((await fleet.reply(id)).reply).toMatchObject({ status: "succeeded" });
      expect(await fleet.rows(id)).toMatchObject([{ engine, status: "succeeded", attempt: 1 }]);
    }
  }

  /** A worker process, as in production; resolves when it is ready. */
  async function fork(env: Record<string, string> = {}): Promise<ChildProcess> {
    const child = spawn(process.execPath, [MAIN, path], {
      env: {
        ...process.env,
        ENGINE_PREFIX: fleet.config.ENGINE_PREFIX,
        HEALTH_PORT: "0",
        LOG_LEVEL: "info",
        LEASE_MS: "2000",
        ...env,
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    for await (const line of lines) if (JSON.parse(line).msg === "ready") break;
    child.stdout?.resume();
    return child;
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    const exited = once(child, "exit");
    child.kill(signal);
    const [code] = await exited;
    return code;
  }

  describe(`${engine} conforms`, () => {
    beforeAll(async () => {
      fleet = await openTestFleet([definition], [dirname(path)]);
    });
    afterAll(async () => {
      for (const child of children) child.kill("SIGKILL");
      await fleet?.close();
    });

    test("answers, stores and acks good jobs; refuses bad ones; answers a duplicate from the store", async () => {
      const worker = await fleet.start(definition);
      const ids = await publishMany(50);
      await allSucceed(ids);

      const bad = await fleet.publish(engine, job.action, undefined, { body: Buffer.from("{") });
      expect((await fleet.reply(bad)).reply).toMatchObject({ error: { code: "invalid_input" } });
      const unknown = await fleet.publish(
        engine,
        job.action,
        {},
        { type: `${engine}.no-such-action.v1` },
      );
      expect((await fleet.reply(unknown)).reply).toMatchObject({
        error: { code: "unknown_action" },
      });
      expect(await fleet.deadLetters(engine)).toHaveLength(2);

      const first = await fleet.reply(String(ids[0]));
      await publish(0, { messageId: ids[0], correlationId: ids[0] });
      const again = await fleet.reply(String(ids[0]), 2);
      expect([again.id, again.text]).toEqual([first.id, first.text]);
      expect(await fleet.rows(String(ids[0]))).toHaveLength(1);
      await worker.stop();
    });

    test("finishes every job once when its connections are cut under it", async () => {
      const worker = await fleet.start(definition);
      const ids = await publishMany(100);
      await fleet.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
        [`tl-engine ${engine}`],
      );
      await closeConnections(fleet);
      await allSucceed(ids);
      await fleet.until("the worker is ready again", () => (worker.notReady() ? undefined : true));
      await worker.stop();
    });

    test("drains on SIGTERM, exits 0, and loses nothing; SIGKILL loses nothing either", async () => {
      const first = await fork();
      const ids = await publishMany(200);
      expect(await end(first, "SIGTERM")).toBe(0);
      const second = await fork();
      ids.push(...(await publishMany(200)));
      await end(second, "SIGKILL");
      const third = await fork();
      await allSucceed(ids);
      expect(await end(third, "SIGTERM")).toBe(0);
      const { messageCount } = await fleet.channel.checkQueue(fleet.names.queue(engine));
      expect(messageCount).toBe(0);
    });

    test("leaves no connection behind when it stops", async () => {
      const worker = await fleet.start(definition);
      await allSucceed(await publishMany(5));
      await worker.stop();
      await fleet.until("its database connections are gone", async () => {
        const { rows } = await fleet.pool.query(
          "select 1 from pg_stat_activity where application_name = $1",
          [`tl-engine ${engine}`],
        );
        return rows.length === 0 ? true : undefined;
      });
      const { consumerCount } = await fleet.channel.checkQueue(fleet.names.queue(engine));
      expect(consumerCount).toBe(0);
    });

    test.skipIf(!process.env.POOLER_URL)("works through a pooler in transaction mode", async () => {
      const worker = await fleet.start(definition, {
        DATABASE_URL: String(process.env.POOLER_URL),
      });
      await allSucceed(await publishMany(50));
      await worker.stop();
    });
  });
}

/** Closes the broker connections of the worker in this process, as an operator would; without the management API it does nothing. */
async function closeConnections(fleet: TestFleet): Promise<void> {
  const base = fleet.config.RABBITMQ_MANAGEMENT_URL;
  if (base === undefined) return;
  const connections = (await ask(base, "GET", ["connections"])) as {
    name: string;
    client_properties?: { connection_name?: string };
  }[];
  for (const { name, client_properties: properties } of connections) {
    if (!properties?.connection_name?.endsWith(fleet.config.WORKER_ID)) continue;
    await ask(base, "DELETE", ["connections", name]);
  }
}
