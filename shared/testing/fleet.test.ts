/** A test fleet leaves servers as it found them, and its close names what was not given back. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { Redis } from "ioredis";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { openConnection } from "../broker/connection.ts";
import { linesOf } from "../process/lines.ts";
import { removeFleet } from "../services/remove-fleet.ts";
import { openTestFleet, type TestFleet } from "./fleet.ts";
import { Leaked, openConnections } from "./leak-check.ts";
import { PROBE_LEDGER, probe } from "./probe-engine.ts";

const managementUrl = process.env.RABBITMQ_MANAGEMENT_URL;

async function management(method: string, path: string, body?: object): Promise<unknown> {
  const { username, password, origin } = new URL(String(managementUrl));
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: {
      authorization: `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}`,
      "content-type": "application/json",
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return method === "GET" ? response.json() : response.text();
}

/** A vhost, a database and a Redis database that no other test has, so that all in them can be counted. */
async function ownPlaces() {
  const name = `own_${randomBytes(4).toString("hex")}`;
  const given = { ...process.env };
  const { username } = new URL(String(managementUrl));
  await management("PUT", `vhosts/${name}`);
  const all = { configure: ".*", write: ".*", read: ".*" };
  await management("PUT", `permissions/${name}/${username}`, all);
  const admin = new pg.Client({ connectionString: String(given.DATABASE_URL) });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const at = (url: string | undefined, path: string) => {
    const own = new URL(String(url));
    own.pathname = `/${path}`;
    return own.href;
  };
  process.env.AMQP_URL = at(given.AMQP_URL, name);
  process.env.DATABASE_URL = at(given.DATABASE_URL, name);
  process.env.REDIS_URL = at(given.REDIS_URL, "15");
  return {
    vhost: name,
    async remove() {
      Object.assign(process.env, given);
      await management("DELETE", `vhosts/${name}`);
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

async function contentOf(vhost: string) {
  const names = async (kind: string) =>
    ((await management("GET", `${kind}/${vhost}`)) as { name: string }[]).map(({ name }) => name);
  const client = new pg.Client({ connectionString: String(process.env.DATABASE_URL) });
  await client.connect();
  const redis = new Redis(String(process.env.REDIS_URL));
  try {
    const { rows } = await client.query(
      "select (select count(*) from engine.results)::int as results, (select count(*) from engine_probe.ledger)::int as ledger",
    );
    return {
      queues: await names("queues"),
      exchanges: await names("exchanges"),
      rows: rows[0],
      keys: await redis.keys("*"),
    };
  } finally {
    redis.disconnect();
    await client.end();
  }
}

describe.runIf(managementUrl)("on servers that it shares", () => {
  let places: Awaited<ReturnType<typeof ownPlaces>>;
  beforeEach(async () => {
    places = await ownPlaces();
  });
  afterEach(() => places.remove());

  /** Opens a fleet and leaves a trace of every kind: messages, rows, a ledger, claims, a dead letter. */
  async function usedFleet() {
    const fleet = await openTestFleet([probe]);
    await fleet.pool.query(PROBE_LEDGER);
    const worker = await fleet.start(probe);
    const id = await fleet.publish("probe", "run", { do: "own-writes" });
    await fleet.reply(id);
    const { events } = (await fleet.rows(id))[0] as { events: string };
    await fleet.until(
      "the event's row",
      async () => (await fleet.rows(JSON.parse(events)[0].id))[0],
    );
    const failed = await fleet.publish("probe", "run", { do: "reject" });
    await fleet.reply(failed);
    // An id that a caller chose, as a client does.
    const chosen = await fleet.publish("probe", "run", {}, { messageId: crypto.randomUUID() });
    await fleet.until("its row", async () => (await fleet.rows(chosen))[0]);
    return { fleet, worker };
  }

  test("it leaves no queue, exchange, row or key behind", async () => {
    // What the migrations made stays, as it should.
    const first = await openTestFleet([probe]);
    await first.pool.query(PROBE_LEDGER);
    await first.close();
    const before = await contentOf(places.vhost);
    const { fleet } = await usedFleet();
    const used = await contentOf(places.vhost);
    expect(used.rows.results).toBeGreaterThanOrEqual(4);
    expect(used.rows.ledger).toBeGreaterThanOrEqual(2);
    expect(used.keys.length).toBeGreaterThan(0);
    expect(used.queues.length).toBeGreaterThan(before.queues.length);
    await fleet.close();
    expect(await contentOf(places.vhost)).toEqual(before);
  });

  test("one that was never closed is removed by its prefix, and its neighbour is not", async () => {
    const { fleet: left, worker } = await usedFleet();
    const { fleet: neighbour } = await usedFleet();
    await worker.stop();
    const theirs = (all: Awaited<ReturnType<typeof contentOf>>) =>
      [...all.queues, ...all.exchanges, ...all.keys].filter((name) =>
        name.startsWith(neighbour.names.prefix),
      );
    const before = await contentOf(places.vhost);
    const { prefix } = left.names;
    await removeFleet({ urls: left.config, prefix, engines: ["probe"], queues: [left.replyTo] });
    const after = await contentOf(places.vhost);
    expect(JSON.stringify(after)).not.toContain(prefix);
    expect(theirs(after)).toEqual(theirs(before));
    expect(after.rows.results).toBe(before.rows.results / 2);
    await left.close();
    await neighbour.close();
  });

  test("what its jobs put off is removed as well, and what that did", async () => {
    const fleet = await openTestFleet([probe]);
    const { prefix } = fleet.names;
    const onward = crypto.randomUUID();
    const add = (engine: string, jobId: string, events: object[], worker = "another's") =>
      fleet.pool.query(
        `insert into engine.results (engine, job_id, status, attempt, type, input_hash, reply, events, worker, started_at)
         values ($1, $2, 'succeeded', 1, 'probe.run.v1', '', '{}', $3, $4, now())`,
        [engine, jobId, JSON.stringify(events), worker],
      );
    const later = (id: string) => ({ id, type: "probe.run.v1", body: "{}", runAt: 1 });
    const told = { id: `ev-${onward}`, type: "probe.ran", body: "{}" };
    await add("probe", crypto.randomUUID(), [later(`timer:${onward}`), told], prefix);
    await add("probe", `timer:${onward}`, [later(`again:${onward}`)]);
    await add("probe", `again:${onward}`, [later(`timer:${onward}`)]);
    await add("other", `ev-${onward}`, []);
    // Ids of an engine's own jobs are no other engine's.
    await add("other", `timer:${onward}`, []);
    await removeFleet({ urls: fleet.config, prefix, engines: ["probe"] });
    const { rows } = await fleet.pool.query(
      "delete from engine.results where job_id like $1 returning engine, job_id",
      [`%${onward}`],
    );
    expect(rows).toEqual([{ engine: "other", job_id: `timer:${onward}` }]);
    await fleet.close();
  });

  test("a run that is killed leaves nothing either", async () => {
    const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
    const run = spawn(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { watchFleets } from ${module("./left-fleets.ts")};
        import { openTestFleet } from ${module("./fleet.ts")};
        import { probe } from ${module("./probe-engine.ts")};
        watchFleets();
        const fleet = await openTestFleet([probe]);
        await fleet.start(probe);
        await fleet.reply(await fleet.publish("probe", "run", { do: "reject" }));
        console.log(fleet.names.prefix);`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    onTestFinished(() => void run.kill("SIGKILL"));
    const { value: line } = await linesOf(run.stdout).next();
    const client = new pg.Client({ connectionString: String(process.env.DATABASE_URL) });
    await client.connect();
    await client.query(PROBE_LEDGER);
    await client.end();
    const all = await contentOf(places.vhost);
    expect([all.rows.results, JSON.stringify(all.queues)]).toEqual([
      1,
      expect.stringContaining(line),
    ]);
    run.kill("SIGKILL");
    await expect
      .poll(() => contentOf(places.vhost), { timeout: 20_000, interval: 100 })
      .toMatchObject({ queues: [], keys: [], rows: { results: 0 } });
  });
});

describe("what is not given back is named by close", () => {
  const leaksOf = async (fleet: TestFleet) => {
    const error = await fleet.close().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Leaked);
    return (error as Leaked).leaks;
  };

  test.runIf(managementUrl)("a connection to the broker", async () => {
    const fleet = await openTestFleet([probe]);
    const name = `forgotten ${fleet.names.prefix}`;
    const { model } = await openConnection(fleet.config, name);
    onTestFinished(() => model.close());
    await fleet.until("the broker's list", async () =>
      (await openConnections(managementUrl, name)).length > 0 ? true : undefined,
    );
    expect(await leaksOf(fleet)).toContain(`broker connection "${name}"`);
  });

  test("a channel", async () => {
    const fleet = await openTestFleet([probe]);
    await fleet.model.createChannel();
    expect(await leaksOf(fleet)).toEqual(["1 channels on the fleet's connection"]);
  });

  test("a client of its pool", async () => {
    const fleet = await openTestFleet([probe]);
    const client = await fleet.pool.connect();
    onTestFinished(() => client.release(true));
    expect(await leaksOf(fleet)).toContain("1 clients of the fleet's pool");
  });

  test("a session of Postgres", async () => {
    const fleet = await openTestFleet([probe]);
    const client = new pg.Client({ connectionString: fleet.config.DATABASE_URL });
    await client.connect();
    onTestFinished(() => client.end());
    expect(await leaksOf(fleet)).toContainEqual(expect.stringMatching(/^session \d+ of Postgres/));
  });

  test("a server of this process", async () => {
    const fleet = await openTestFleet([probe]);
    const server = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    expect(await leaksOf(fleet)).toContain("1 × TCPServerWrap");
  });

  test("sockets of this process, with where they lead", async () => {
    const fleet = await openTestFleet([probe]);
    const { hostname, port } = new URL(fleet.config.REDIS_URL);
    // More than an earlier test's HTTP client may have let go of since the fleet was opened.
    const sockets = Array.from({ length: 8 }, () => connect(Number(port), hostname));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const told = (await leaksOf(fleet)).join();
    expect(told).toMatch(/^\d × TCPSocketWrap among /);
    for (const { localPort, remoteAddress } of sockets)
      expect(told).toContain(`${localPort} → ${remoteAddress}:${port}`);
  });
});
