/** A port-forward keeps its port through breaks, and says why it can't open at first. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../../../shared/testing/seen.ts";
import { triedCluster } from "./kubectl.ts";
import { openPortForward } from "./port-forward.ts";
import { type StandIn, startStandIn } from "./testing/stand-in.ts";

const cluster = triedCluster("kind-tl-engine", "tl-engine-dev");
const path = process.env.PATH;
let standIn: StandIn;

beforeEach(() => {
  process.env.PATH = path;
});
afterEach(async () => {
  process.env.PATH = path;
  await standIn.close();
});

async function prepare(answers: Parameters<typeof startStandIn>[0]["answers"] = []) {
  standIn = await startStandIn({ prefix: "unused", answers });
  process.env.PATH = standIn.env.PATH;
}

/** Whether Redis's, Postgres' or RabbitMQ's port takes a connection through it. */
async function isOpen(address: string): Promise<boolean> {
  const [host = "", port] = address.split(":");
  const socket: Socket = connect(Number(port), host);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("it is opened again on the same port, as often as it breaks", async () => {
  await prepare();
  const said: string[] = [];
  const forward = await openPortForward(cluster, "postgres", 5_432, {
    say: (line) => said.push(line),
    retryMs: 20,
  });
  const { address } = forward;
  for (const times of [1, 2]) {
    expect(await isOpen(address)).toBe(true);
    standIn.breakForwards("postgres");
    await until(`opening ${times}`, () => forward.reopened === times || undefined);
    expect(forward.address).toBe(address);
  }
  expect(said).toEqual(Array(2).fill("The port-forward to postgres broke; it is opened again."));
  expect(standIn.asked.at(-1)).toBe(
    `port-forward --address=127.0.0.1 service/postgres ${address.split(":")[1]}:5432`,
  );
  await forward.close();
  expect(await isOpen(address)).toBe(false);
});

test("it waits for a port that somebody else has for a while", async () => {
  await prepare();
  const forward = await openPortForward(cluster, "postgres", 5_432, {
    say: () => {},
    retryMs: 100,
  });
  const port = Number(forward.address.split(":")[1]);
  standIn.breakForwards("postgres");
  const other = createServer();
  await until("the port", async () => {
    other.removeAllListeners("error");
    const listening = once(other, "listening").then(() => true);
    other.listen(port, "127.0.0.1");
    return listening.catch(() => undefined);
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(forward.reopened).toBe(0);
  other.close();
  await until("the port-forward", () => forward.reopened === 1 || undefined);
  await forward.close();
});

test("a first opening that fails says what kubectl said", async () => {
  await prepare([
    {
      to: "^port-forward",
      status: 1,
      stderr: "error: unable to forward port because pod is not running",
    },
  ]);
  await expect(
    openPortForward(cluster, "rabbitmq", 5_672, { say: () => {} }),
  ).rejects.toMatchObject({
    code: "cluster_unfit",
    message: expect.stringMatching(
      /pod is not running[\s\S]*Look: kubectl --context=kind-tl-engine/,
    ),
  });
});

test("one that never opens is given up", async () => {
  await prepare([{ to: "^port-forward", stdout: "still looking\n" }]);
  const opening = openPortForward(cluster, "rabbitmq", 5_672, { say: () => {}, openTimeoutMs: 1 });
  await expect(opening).rejects.toMatchObject({ code: "cluster_unfit" });
});
