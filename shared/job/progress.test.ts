/** How soon a caller sees what a handler reports, and what that costs Redis. */
import { once } from "node:events";
import { connect as connectSocket, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { connect } from "../client/client.ts";
import { contractOf } from "../client/contract-of.ts";
import { action, defineWorker } from "../engine/define-worker.ts";
import { forEachLine } from "../process/lines.ts";
import { openTestFleet, type TestFleet } from "../testing/fleet.ts";

const reported = new Map<string, number>();
const definition = defineWorker({
  name: "reporter",
  concurrency: 32,
  timeoutMs: 20_000,
  actions: {
    run: action({
      version: 1,
      input: z.object({ runMs: z.number(), reports: z.number().default(1) }),
      output: z.object({}),
      async handle({ runMs, reports }, job) {
        for (let i = 0; i < reports; i++) {
          job.progress(0.1 + i / 100, `report ${i}`);
          if (i === 0) reported.set(job.id, performance.now());
        }
        await sleep(runMs);
        return {};
      },
    }),
  },
});

let fleet: TestFleet;
/** What clients send; what a script sends in its turn is not billed. */
const commands: string[] = [];
let monitor: Socket;

/** By hand: ioredis takes the first lines for answers where others use the server at the same time. */
async function monitorRedis(url: string): Promise<Socket> {
  const { hostname, port, username, password } = new URL(url);
  const socket = connectSocket(Number(port || 6379), hostname);
  const name = decodeURIComponent(username) || "default";
  if (password !== "") socket.write(`AUTH ${name} ${decodeURIComponent(password)}\r\n`);
  socket.write("MONITOR\r\n");
  const answered = once(socket, "data");
  forEachLine(socket, (line) => {
    const command = line.trimEnd();
    if (!/^\+\S+ \[\d+ lua\]/.test(command)) commands.push(command.replaceAll('"', ""));
  });
  await answered;
  return socket;
}

beforeAll(async () => {
  fleet = await openTestFleet([definition]);
  // A lease as long as in production, so that no heartbeat is due by itself.
  await fleet.start(definition, { LEASE_MS: "10000" });
  monitor = await monitorRedis(fleet.config.REDIS_URL);
});
afterAll(async () => {
  monitor?.destroy();
  await fleet?.close();
});

const commandsOf = (id: string) =>
  commands.filter((command) => `${command} `.includes(`${id} `)).length;
const CLAIM_AND_END = 2;

test("a first report can be read within a second, for one more command", { retry: 2 }, async () => {
  await using client = await connect({
    amqpUrl: fleet.config.AMQP_URL,
    redisUrl: fleet.config.REDIS_URL,
    prefix: fleet.names.prefix,
    contract: contractOf(definition),
  });
  const { id } = await client.send("reporter", "run", { runMs: 2_500, reports: 5 });
  const beganAt = await fleet.until("its first report", () => reported.get(id));
  const seen = await fleet.until(
    "progress",
    async () => (await client.status(id, "reporter")).progress,
  );
  expect(performance.now() - beganAt).toBeLessThan(1_000);
  expect(seen).toMatchObject({ fraction: 0.14, note: "report 4" });
  await fleet.until("its end", async () =>
    (await client.status(id, "reporter")).state === "ended" ? true : undefined,
  );
  const asked = commands.filter(
    (command) => /\] get /i.test(command) && command.includes(id),
  ).length;
  expect(commandsOf(id) - asked).toBe(CLAIM_AND_END + 1);
});

test("reports of a job that ends within a second cost no command", async () => {
  const publish = () => fleet.publish("reporter", "run", { runMs: 600, reports: 20 });
  const ids = await Promise.all(Array.from({ length: 10 }, publish));
  for (const id of ids) expect((await fleet.reply(id)).reply.status).toBe("succeeded");
  // Past the time at which a report would have been carried out.
  await sleep(1_000);
  for (const id of ids) expect(commandsOf(id)).toBe(CLAIM_AND_END);
});

test("reports that are due together go in one command", async () => {
  const publish = () => fleet.publish("reporter", "run", { runMs: 1_800 });
  const ids = await Promise.all(Array.from({ length: 20 }, publish));
  for (const id of ids) await fleet.reply(id);
  const shown = commands.filter(
    (command) => command.includes("report 0") && ids.some((id) => command.includes(id)),
  );
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.length).toBeLessThan(ids.length / 2);
  // The monitor hears of a job's end a little after its caller.
  for (const id of ids) {
    await fleet.until("its end", () => commandsOf(id) > CLAIM_AND_END || undefined);
    expect(commandsOf(id)).toBe(CLAIM_AND_END + 1);
  }
});
