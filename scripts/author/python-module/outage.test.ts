/** The Python module while its broker dies, comes back, blocks or lacks a queue: nothing is missed, nothing hangs. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Broker, CAN_OWN_BROKER, ownBroker } from "../../../shared/client/testing/broker.ts";
import {
  declareTopology,
  type StandIn,
  startStandIn,
} from "../../../shared/client/testing/worker.ts";
import { hasPython, startPython } from "./python.ts";

const prefix = `py${process.pid}`;
const actions = { say: { version: 1, max_input_bytes: 1_000_000 } };
let broker: Broker;
let worker: StandIn;

const options = (more: object = {}) => ({
  amqp_url: broker.url,
  prefix,
  app_id: "app",
  engines: { echo: actions, absent: actions },
  ...more,
});

describe.skipIf(!hasPython || !CAN_OWN_BROKER)("with a broker of its own", () => {
  beforeAll(async () => {
    broker = await ownBroker();
    await declareTopology(broker.url, prefix);
  }, 90_000);
  beforeEach(async () => {
    worker = await startStandIn(broker.url, prefix);
  });
  afterEach(() => worker.close());
  afterAll(() => broker?.remove());

  test("a job without a route, or that no worker answers, is an error", async () => {
    const program = startPython(
      `
engine = client()
show(failure(lambda: engine.publish("absent", "say", {"value": 1})))
show(failure(lambda: engine.call("absent", "say", {"value": 1})))
show(failure(lambda: engine.call("echo", "say", {"value": 1, "answer": "garbage"})))
show(engine.call("echo", "say", {"value": 1, "answer": "twice"}))
show(engine.call("echo", "say", {"value": 2}))
`,
      options(),
    );
    const unroutable = { name: "Unroutable", code: "unroutable" };
    expect(await program.end()).toMatchObject([
      ...[unroutable, unroutable, { code: "unreadable_reply" }],
      ...[{ value: 1 }, { value: 2 }],
    ]);
  });

  test("a Celery task's time limit interrupts it anywhere: no confirm is taken for another's", async () => {
    const program = startPython(
      `
import signal
class SoftTimeLimitExceeded(Exception): pass
def interrupt(*_): raise SoftTimeLimitExceeded
signal.signal(signal.SIGALRM, interrupt)
engine = client()
engine.call("echo", "say", {"value": "before"})
interrupted, unroutable = 0, 0
for n in range(150):
    signal.setitimer(signal.ITIMER_REAL, 0.0002 + (n % 30) * 0.0001)
    try:
        try:
            engine.publish("echo", "say", {"value": n})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            time.sleep(0)  # a signal that came just before is raised here, and caught
    except SoftTimeLimitExceeded:
        interrupted += 1
    unroutable += failure(lambda: engine.publish("absent", "say", {"value": n})).get("name") == "Unroutable"
show([interrupted > 0, unroutable])
show(engine.call("echo", "say", {"value": "after"}))
`,
      options(),
    );
    expect(await program.end()).toEqual([[true, 150], { value: "after" }]);
  });

  test("the broker restarts during calls: each gets its reply, and so do later ones", async () => {
    const program = startPython(
      `
from concurrent.futures import ThreadPoolExecutor
engine = client()
show(engine.call("echo", "say", {"value": 0}))
input()
with ThreadPoolExecutor(20) as pool:
    calls = [pool.submit(engine.call, "echo", "say", {"value": n}, timeout_s=90) for n in range(20)]
    engine.publish("echo", "say", {"value": -1}, id="after")
    show("called")
    show([call.result()["value"] for call in calls])
show(engine.call("echo", "say", {"value": "again"}))
show("connection_lost" in troubles)
`,
      options({ publish_timeout_s: 30 }),
    );
    expect(await program.next()).toEqual({ value: 0 });
    await worker.close(); // So that all are still unanswered when the broker dies.
    program.tell();
    expect(await program.next()).toBe("called");
    await broker.kill();
    await broker.start();
    worker = await startStandIn(broker.url, prefix);
    const values = Array.from({ length: 20 }, (_, value) => value);
    expect(await program.end()).toEqual([values, { value: "again" }, true]);
  }, 150_000);

  test("with the broker down a publish fails in time, and the same client publishes once it is back", async () => {
    const program = startPython(
      `
engine = client(publish_timeout_s=2)
show(engine.publish("echo", "say", {"value": 1}, id="up"))
input()
for ask in (engine.publish, engine.call):
    began = time.monotonic()
    show([failure(lambda: ask("echo", "say", {"value": 1}, id="down")), time.monotonic() - began])
input()
show(engine.publish("echo", "say", {"value": 1}, id="back"))
show(engine.call("echo", "say", {"value": 2}, timeout_s=60))
`,
      options(),
    );
    expect(await program.next()).toBe("up");
    await broker.kill();
    program.tell();
    for (const _ of ["publish", "call"]) {
      const [error, tookS] = (await program.next()) as [unknown, number];
      expect(error).toMatchObject({ code: "broker_unreachable", maybe_accepted: false });
      expect(tookS).toBeLessThan(4);
    }
    await broker.start();
    worker = await startStandIn(broker.url, prefix);
    program.tell();
    expect(await program.end()).toEqual(["back", { value: 2 }]);
  }, 150_000);

  test("a broker short of memory is told as such, and takes jobs again once it has some", async () => {
    const program = startPython(
      `
engine = client(publish_timeout_s=2)
engine.publish("echo", "say", {"value": 1})
input()
began = time.monotonic()
show([failure(lambda: engine.publish("echo", "say", {"value": 1})), time.monotonic() - began])
input()
show(engine.call("echo", "say", {"value": 3}))
`,
      options(),
    );
    await broker.control("set_vm_memory_high_watermark", "0.000001");
    program.tell();
    const [error, tookS] = (await program.next()) as [unknown, number];
    await broker.control("set_vm_memory_high_watermark", "0.6");
    program.tell();
    expect(error).toMatchObject({ name: "BrokerUnavailable", code: "broker_blocked" });
    expect(tookS).toBeLessThan(4);
    expect(await program.end()).toEqual([{ value: 3 }]);
  });
});
