/** The command that declares: with the rights of `make rights NAME=tools` on a fresh vhost, and what it says where it fails. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ask } from "@tl-engine/shared/broker/management";
import { closedQueues } from "@tl-engine/shared/broker/queue-states";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toolsRights } from "../kubernetes/rights/statements.ts";

const managementUrl = String(process.env.RABBITMQ_MANAGEMENT_URL);
const TOPOLOGY = fileURLToPath(new URL("./topology.ts", import.meta.url));
const RIGHTS = fileURLToPath(new URL("../kubernetes/rights.ts", import.meta.url));
const vhost = `/fresh-${randomBytes(4).toString("hex")}`;
const user = `tools-${randomBytes(4).toString("hex")}`;

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}
const run = (script: string, env: Record<string, string>): Promise<Ran> =>
  promisify(execFile)(process.execPath, [script], { env: { ...process.env, ...env } }).then(
    (said) => ({ code: 0, ...said }),
    (error) => error as Ran,
  );

describe.runIf(process.env.RABBITMQ_MANAGEMENT_URL)("a user of its own on a fresh vhost", () => {
  let url: string;
  const allow = (configure: string, write: string, read: string) =>
    ask(managementUrl, "PUT", ["permissions", vhost, user], { configure, write, read });

  beforeAll(async () => {
    await ask(managementUrl, "PUT", ["vhosts", vhost], {});
    await ask(managementUrl, "PUT", ["users", user], { password: "€", tags: "" });
    const { host } = new URL(String(process.env.AMQP_URL));
    url = `amqp://${user}:${encodeURIComponent("€")}@${host}/${encodeURIComponent(vhost)}`;
  });
  afterAll(async () => {
    await ask(managementUrl, "DELETE", ["vhosts", vhost]);
    await ask(managementUrl, "DELETE", ["users", user]);
  });

  test("without the right to a dead-letter exchange: says what is missing, in one line", async () => {
    await allow("^engine\\..*$", "^engine\\.(jobs|unrouted)$", "^engine\\..*$");
    const { code, stdout, stderr } = await run(TOPOLOGY, { AMQP_URL: url });
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /^topology: .*declare the queue engine\.unrouted.*make rights NAME=tools.*\n$/,
    );
  });

  test("the rights that are printed declare everything", async () => {
    const printed = await run(RIGHTS, { NAME: "tools", ENGINE_PREFIX: "engine" });
    const { configure, write, read } = toolsRights("engine");
    expect(printed.stdout).toContain(`'${configure}' '${write}' '${read}'`);
    expect("engine.jobs").toMatch(new RegExp(write));
    // In LavinMQ the default exchange has the empty name.
    for (const name of ["", "amq.default", "other.jobs"])
      expect(name).not.toMatch(new RegExp(write));
    await allow(configure, write, read);
    const { code, stdout, stderr } = await run(TOPOLOGY, {
      AMQP_URL: url,
      ENGINE_PREFIX: "engine",
    });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^topology: broker=\w+ exchanges=\d+ .*replies=default-exchange$/m);
    const shared = { AMQP_URL: url, ENGINE_PREFIX: "engine", REPLY_EXCHANGE: "engine.replies" };
    expect((await run(TOPOLOGY, shared)).stdout).toMatch(/ replies=engine\.replies$/m);
  });

  test("a broker that can't be reached: one line and status 1", async () => {
    const { code, stderr } = await run(TOPOLOGY, { AMQP_URL: "amqp://u:hunter2@127.0.0.1:1/v" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^topology: the broker at 127\.0\.0\.1:1 \(AMQP_URL\) .*\n$/);
    expect(stderr).not.toContain("hunter2");
  });
});

test("a queue that LavinMQ closed is told, with what reopens it", async () => {
  const server = createServer((_, response) =>
    response.end(
      JSON.stringify([
        { name: "engine.open", state: "running" },
        { name: "engine.torn", state: "closed" },
        { name: "other.torn", state: "closed" },
      ]),
    ),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const queues = ["engine.open", "engine.torn"];
    expect(
      await closedQueues(`http://u:p@127.0.0.1:${port}`, "amqp://h/%2Fengine", queues),
    ).toEqual([
      {
        name: "engine.torn",
        state: "closed",
        repair: expect.stringContaining("/api/queues/%2Fengine/engine.torn/restart"),
      },
    ]);
  } finally {
    server.close();
  }
});
