/** The Python module against the true runtime: publish, call, result, status, cancel, threads, forks, bad input. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANCEL } from "../../../shared/client/claims.ts";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { RECORD_LUA } from "../../../shared/wire/claim-record.ts";
import { clientOptions, definition } from "./engine.ts";
import { hasPython, MODULE_FOLDER, runPython, startPython } from "./python.ts";

const source = readFileSync(join(MODULE_FOLDER, "tl_engine.py"), "utf8");

test("its script on claims is the client's, without what that does not use", () => {
  const [, lua = ""] = /CANCEL_LUA = r"""([\s\S]*?)"""/.exec(source) ?? [];
  const get = /local function get[\s\S]*?\nend\n\n/;
  const squeezed = (script: string) => script.replaceAll(/\s+/g, " ").trim();
  expect(squeezed(lua)).toBe(squeezed(CANCEL.replace(get, "")));
  expect(RECORD_LUA).toMatch(get);
});

const mypy = ["mypy", "/usr/bin/mypy"].find((it) => spawnSync(it, ["--version"]).status === 0);
if (mypy === undefined) console.warn("skipped: the module's types, without mypy");

test.skipIf(mypy === undefined)("its types hold from Python 3.9 on", () => {
  const options = ["--strict", "--ignore-missing-imports", "--python-version", "3.9"];
  const cache = ["--cache-dir", "/dev/null"];
  const { stdout } = spawnSync(String(mypy), [...options, ...cache, "tl_engine.py"], {
    cwd: MODULE_FOLDER,
    encoding: "utf8",
  });
  expect(stdout).toContain("Success");
});

test.skipIf(!hasPython)("the code on its page is Python", () => {
  const page = readFileSync(join(MODULE_FOLDER, "../celery.md"), "utf8");
  const blocks = [...page.matchAll(/```python\n([\s\S]*?)```/g)].map(([, code]) => code);
  expect(blocks.length).toBeGreaterThan(4);
  for (const code of blocks) {
    const parse = ["-c", "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 9))"];
    const { stderr } = spawnSync("python3", parse, { input: code, encoding: "utf8" });
    expect(stderr, code).toBe("");
  }
});

describe.skipIf(!hasPython)("on a fleet", () => {
  let fleet: TestFleet;
  const options = (more: object = {}) => ({ ...clientOptions(fleet), ...more });
  beforeAll(async () => {
    fleet = await openTestFleet([definition]);
    await fleet.start(definition);
  });
  afterAll(() => fleet?.close());

  test("a call's output is the job's, which is this publisher's; the same id runs once", async () => {
    const id = fleet.newId();
    const value = { text: "añ🚀 \u2028", list: [1, 2.5, null, true] };
    const shown = await runPython(
      `
with client() as engine:
    for _ in range(3):
        show(engine.call("python", "echo", {"value": ${JSON.stringify(value.text)}}, id="${id}", timeout_s=20))
    show(failure(lambda: engine.call("python", "echo", {"value": 2}, id="${id}", timeout_s=20)))
    show(engine.call("python", "echo", {"value": "\\ud800", "half": 1}, timeout_s=20))
    show(engine.publish("python", "echo", {"value": 1}, id="${id}-bulk", lane="bulk"))
    show(troubles)
`,
      options(),
    );
    const output = { value: value.text };
    expect(shown.slice(0, 3)).toEqual([output, output, output]);
    expect(shown[3]).toMatchObject({ name: "JobFailed", code: "idempotency_conflict" });
    expect(shown.slice(5)).toEqual([`${id}-bulk`, []]);
    const rows = await fleet.rows(id);
    expect(rows).toHaveLength(1);
    const publisher = decodeURIComponent(new URL(fleet.config.AMQP_URL).username);
    expect(rows[0]).toMatchObject({ publisher, app_id: `${fleet.names.prefix}x`, attempt: 1 });
    await fleet.until("the bulk job", async () => (await fleet.rows(`${id}-bulk`))[0]);
  });

  test("a job that fails raises its code, with what is wrong where", async () => {
    const [refused, invalid] = await runPython(
      `
engine = client()
show(failure(lambda: engine.call("python", "refuse", {}, timeout_s=20)))
show(failure(lambda: engine.call("python", "hang", [], timeout_s=20)))
`,
      options(),
    );
    expect(refused).toMatchObject({
      ...{ name: "JobFailed", code: "rejected", retriable: false, attempt: 1 },
      ...{ message: "not today", engine: "python", details: [] },
    });
    expect(invalid).toMatchObject({ name: "JobFailed", code: "invalid_input", attempt: 0 });
    expect(invalid).toHaveProperty("details[0].message");
  });

  test("result, status with progress, and cancel by id; a cancelled call raises Cancelled", async () => {
    const id = fleet.newId();
    const shown = await runPython(
      `
engine = client()
show([engine.result("${id}", "python"), engine.status("${id}", "python").state])
calling = threading.Thread(target=lambda: show(failure(lambda: engine.call("python", "hang", {}, id="${id}"))))
calling.start()
while engine.status("${id}", "python").progress is None:
    time.sleep(0.05)
show(engine.status("${id}", "python"))
show(engine.cancel("${id}", "python"))
calling.join()
show(engine.status("${id}", "python"))
show(engine.result("${id}", "python"))
while engine.cancel("${id}", "python"):
    time.sleep(0.05)
show(client(database_url=None).status("${id}", "python").state)
show(client(redis_url=None).status("${id}", "python").state)
engine.call("python", "echo", {"value": 7}, id="${id}-done")
show(engine.result("${id}-done", "python"))
show(engine.cancel("${id}-before", "python"))
show(failure(lambda: engine.call("python", "echo", {"value": 7}, id="${id}-before")))
`,
      options(),
    );
    expect(shown.shift()).toEqual([null, "unknown"]);
    expect(shown.shift()).toMatchObject({
      ...{ state: "running", cancel_requested: false, error: null },
      progress: { fraction: 0.5, note: "half way", at: expect.any(Number) },
    });
    expect(shown.shift()).toBe(true);
    expect(shown.shift()).toMatchObject({ name: "Cancelled", code: "cancelled" });
    expect(shown.shift()).toMatchObject({ state: "failed", error: { code: "cancelled" } });
    expect(shown.shift()).toMatchObject({ status: "failed", error: { code: "cancelled" } });
    expect(shown.splice(0, 2)).toEqual(["ended", "failed"]);
    expect(shown.shift()).toMatchObject({
      ...{ id: `${id}-done`, engine: "python", status: "succeeded", output: { value: 7 } },
      ...{ error: null, attempt: 1, generation: 0, finished_at: expect.stringMatching(/^20/) },
    });
    expect(shown.shift()).toBe(true);
    expect(shown.shift()).toMatchObject({ name: "Cancelled" });
  });

  test("a job for later goes to who keeps it, with its time", async () => {
    const { channel, names } = fleet;
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, names.later, "#");
    const [id, atMs] = await runPython(
      `
at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
show(client().publish("python", "echo", {"value": 1}, run_at=at, lane="bulk"))
show(int(at.timestamp() * 1_000))
`,
      options(),
    );
    const message = await channel.get(queue, { noAck: true });
    if (!message) throw new Error("not there");
    expect(message.fields).toMatchObject({ exchange: names.later, routingKey: "python.bulk" });
    expect(message.properties.messageId).toBe(id);
    expect(message.properties.headers?.["x-run-at"]).toBe(atMs);
    await channel.deleteQueue(queue);
  });

  test("a call ends in time, whatever happens; its job then is past its deadline", async () => {
    const [timeout, tookS] = await runPython(
      `
engine = client()
engine.call("python", "echo", {"value": 1})
began = time.monotonic()
show(failure(lambda: engine.call("python", "hang", {}, timeout_s=0.5)))
show(time.monotonic() - began)
`,
      options(),
    );
    expect(timeout).toMatchObject({ name: "CallTimeout", code: "call_timeout", engine: "python" });
    expect(tookS).toBeGreaterThanOrEqual(0.5);
    expect(tookS).toBeLessThan(1.5);
  });

  test("threads share a client: each call gets its own reply, over two connections", async () => {
    const [outputs, threads, troubles] = await runPython(
      `
from concurrent.futures import ThreadPoolExecutor
engine = client()
with ThreadPoolExecutor(16) as pool:
    calls = [pool.submit(engine.call, "python", "echo", {"value": n}) for n in range(200)]
    show([call.result()["value"] for call in calls])
show([thread.name for thread in threading.enumerate() if "tl_engine" in thread.name])
show(troubles)
`,
      options(),
    );
    expect(outputs).toEqual(Array.from({ length: 200 }, (_, index) => index));
    expect([threads, troubles]).toEqual([["tl_engine replies"], []]);
  });

  test("a forked process has connections of its own and leaves its parent's standing", async () => {
    const program = `
engine = client()
engine.call("python", "echo", {"value": 0})
for uses in (True, False):
    pid = os.fork()
    if pid == 0:
        if uses:
            show(engine.call("python", "echo", {"value": "child"}))
        sys.exit(0)  # An end in order, which lets go of all that was inherited.
    os.waitpid(pid, 0)
    show(engine.call("python", "echo", {"value": "parent"}))
show(troubles)
`;
    const parent = { value: "parent" };
    const shown = await runPython(program, options());
    expect(shown).toEqual([{ value: "child" }, parent, parent, []]);
  });

  test("what can never be accepted is not sent", async () => {
    const asking: [string, object][] = [
      ["publish('python', 'echo', {'value': float('nan')})", { code: "invalid_input" }],
      ["publish('python', 'echo', {'value': float('inf')})", { code: "invalid_input" }],
      ["publish('python', 'echo', {'value': object()})", { code: "invalid_input" }],
      ["publish('python', 'echo', {'value': {1, 2}})", { code: "invalid_input" }],
      ["publish('python', 'echo', loop)", { code: "invalid_input" }],
      ["publish('python', 'echo', deep)", { code: "invalid_input" }],
      ["publish('python', 'echo', {'value': 'ñ' * 1_000})", { code: "payload_too_large" }],
      ["publish('python', 'echo', {}, id='a' * 129)", { code: "invalid_id" }],
      ["publish('python', 'echo', {}, id='a b')", { code: "invalid_id" }],
      ["publish('python', 'echo', {}, id='a\\n')", { code: "invalid_id" }],
      ["publish('python', 'echo', {}, id='')", { code: "invalid_id" }],
      ["publish('python', 'echo', {}, id=7)", { code: "invalid_id" }],
      ["publish('nobody', 'echo', {})", { code: "unknown_engine" }],
      ["publish('python', 'sing', {})", { code: "unknown_action" }],
      ["publish('python', 'echo', {}, reply_to='mine')", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, lane='fast')", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, traceparent='00')", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, correlation_id='a' * 256)", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, deadline=time.time())", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, run_at=time.time())", { code: "invalid_option" }],
      ["publish('python', 'echo', {}, run_at=inDays(367))", { code: "invalid_option" }],
      [
        "publish('python', 'echo', {}, run_at=inDays(2), deadline=inDays(1))",
        { code: "invalid_option" },
      ],
      ["call('python', 'echo', {}, timeout_s=0)", { code: "invalid_option" }],
      ["call('python', 'echo', {}, timeout_s=float('nan'))", { code: "invalid_option" }],
      ["call('python', 'echo', {}, timeout_s='5')", { code: "invalid_option" }],
      ["result('a' * 129, 'python')", { code: "invalid_id" }],
      ["cancel('a', 'nobody')", { code: "unknown_engine" }],
      ["replies(print)", { code: "not_configured" }],
    ];
    const shown = await runPython(
      `
engine = client()
loop, deep = [], []
loop.append(loop)
inDays = lambda days: datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
for _ in range(100_000):
    deep = [deep]
${asking.map(([ask]) => `show(failure(lambda: engine.${ask}))`).join("\n")}
engine.close()
show(failure(lambda: engine.publish("python", "echo", {"value": 1})))
`,
      options(),
    );
    const expected = [...asking.map(([, error]) => error), { code: "client_closed" }];
    expect(shown).toHaveLength(expected.length);
    expected.forEach((error, index) => {
      expect(shown[index], asking[index]?.[0] ?? "closed").toMatchObject(error);
    });
  });

  test("options that can't be are refused, without a word of the URL", async () => {
    const wrong: [string, string][] = [
      ["amqp_url='http://u:geheim@h/'", "amqp://"],
      ["amqp_url='geheim'", "amqp://"],
      ["amqp_url=''", "amqp://"],
      ["amqp_url=None", "amqp://"],
      ["amqp_url='amqp://u:geheim@h:port/'", "amqp://"],
      ["amqp_url='amqp://u:geheim%@h/'", "%25"],
      ["amqp_url='amqp://h//engine'", "%2F"],
      ["amqp_url='amqp://a%20b:geheim@h/'", "publisher"],
      ["prefix='Engine'", "ENGINE_PREFIX"],
      ["app_id='a b'", "app_id"],
      ["app_id='engine.x', prefix='engine'", "prefix"],
      ["database_url='mysql://geheim@h/'", "postgres://"],
      ["redis_url='http://geheim@h/'", "redis://"],
      ["reply_queue='mine'", "*.replies"],
      ["publish_timeout_s=0", "publish_timeout_s"],
    ];
    const shown = await runPython(
      wrong.map(([given]) => `show(failure(lambda: client(${given})))`).join("\n"),
      options(),
    );
    wrong.forEach(([given, word], index) => {
      expect(shown[index], given).toMatchObject({
        ...{ code: "invalid_option", message: expect.stringContaining(word) },
      });
      expect(JSON.stringify(shown[index])).not.toContain("geheim");
    });
  });

  test("a service that is not the right one is told with its code, in time", async () => {
    const port = new URL(fleet.config.REDIS_URL).port;
    const amqp = new URL(fleet.config.AMQP_URL);
    const with_ = (change: (url: URL) => void) => {
      const url = new URL(amqp);
      change(url);
      return `"${url.href}"`;
    };
    const cases: [string, string][] = [
      ["amqp_url='amqp://127.0.0.1:1/', publish_timeout_s=1", "broker_unreachable"],
      [`amqp_url='amqp://127.0.0.1:${port}/', publish_timeout_s=1`, "broker_unreachable"],
      [`amqp_url=${with_((url) => (url.password = "wrong"))}`, "access_refused"],
      [`amqp_url=${with_((url) => (url.pathname = "/nowhere"))}`, "access_refused"],
      [`amqp_url=${with_((url) => (url.protocol = "amqps:"))}, publish_timeout_s=1`, "tls_failed"],
      ['prefix="nobody"', "topology_missing"],
    ];
    const shown = await runPython(
      cases
        .map(
          ([given]) =>
            `began = time.monotonic(); show([failure(lambda: client(${given}).publish("python", "echo", {"value": 1})), time.monotonic() - began])`,
        )
        .join("\n"),
      options(),
    );
    cases.forEach(([given, code], index) => {
      const [error, tookS] = shown[index] as [unknown, number];
      expect(error, given).toMatchObject({
        name: "BrokerUnavailable",
        code,
        maybe_accepted: false,
      });
      expect(tookS).toBeLessThan(8);
    });
  });

  test("Redis, Postgres and the fleet are asked for what they can tell, or it is said", async () => {
    const dead = new URL(fleet.config.DATABASE_URL);
    dead.port = "1";
    const shown = await runPython(
      `
none = dict(database_url=None, redis_url=None)
show(failure(lambda: client(**none).result("a", "python")))
show(failure(lambda: client(**none).status("a", "python")))
show(failure(lambda: client(**none).cancel("a", "python")))
show(failure(lambda: client(prefix="nobody").cancel("a", "python")))
show(failure(lambda: client(prefix="nobody").status("a", "python")))
show(failure(lambda: client(redis_url="redis://127.0.0.1:1").cancel("a", "python")))
show(failure(lambda: client(database_url="${dead.href}").result("a", "python")))
`,
      options(),
    );
    expect(shown.map((error) => (error as { code: string }).code)).toEqual([
      ...["not_configured", "not_configured", "not_configured"],
      ...["topology_missing", "topology_missing", "redis", "database"],
    ]);
  });

  test("a Postgres role that is shown no rows is an error, not an absent result", async () => {
    const role = `python_${fleet.names.prefix}`;
    const password = "let-me-in";
    await fleet.pool.query(`create role ${role} login password '${password}'`);
    await fleet.pool.query(`grant usage on schema engine to ${role}`);
    await fleet.pool.query(`grant select on engine.results to ${role}`);
    try {
      const url = new URL(fleet.config.DATABASE_URL);
      url.username = role;
      url.password = password;
      const [hidden, status] = await runPython(
        `
show(failure(lambda: client().result("a", "python")))
show(failure(lambda: client().status("a", "python")))
`,
        options({ database_url: url.href }),
      );
      const told = { code: "results_hidden", message: expect.stringContaining("ROLE=publisher") };
      expect(hidden).toMatchObject(told);
      expect(status).toMatchObject(told);
    } finally {
      await fleet.pool.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  test("a job that was published with pika has the same id, and the same result", async () => {
    const id = fleet.newId();
    const program = startPython(
      `
import pika
connection = pika.BlockingConnection(pika.URLParameters("${fleet.config.AMQP_URL}"))
channel = connection.channel()
channel.confirm_delivery()
properties = pika.BasicProperties(message_id="${id}", type="python.echo.v1", content_type="application/json",
    delivery_mode=2, user_id="${decodeURIComponent(new URL(fleet.config.AMQP_URL).username)}")
channel.basic_publish("${fleet.names.jobs}", "python", b'{"value":1}', properties, mandatory=True)
connection.close()
show(client().call("python", "echo", {"value": 1}, id="${id}"))
`,
      options(),
    );
    expect(await program.end()).toEqual([{ value: 1 }]);
    expect(await fleet.rows(id)).toHaveLength(1);
  });
});
