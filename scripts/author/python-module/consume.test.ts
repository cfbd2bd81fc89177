/** The Python module's loops: durable replies and events, each once, kept while their handler fails. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestFleet, type TestFleet } from "../../../shared/testing/fleet.ts";
import { clientOptions, definition } from "./engine.ts";
import { hasPython, startPython } from "./python.ts";

describe.skipIf(!hasPython)("on a fleet", () => {
  let fleet: TestFleet;
  let queue: string;
  beforeAll(async () => {
    fleet = await openTestFleet([definition]);
    await fleet.start(definition);
    queue = `${fleet.names.prefix}x.replies.durable`;
  });
  afterAll(async () => {
    await fleet?.channel.deleteQueue(queue);
    await fleet?.channel.deleteQueue(`${fleet.names.prefix}x.events`);
    await fleet?.close();
  });

  test("replies wait in a durable queue, come once, and come back while their handler fails", async () => {
    const publisher = startPython(
      `
engine = client(reply_queue="${queue}")
stop = threading.Event()
stop.set()
engine.replies(print, stop=stop)  # Declares nothing: it was stopped before.
once = threading.Event()
reader = threading.Thread(target=engine.replies, args=(lambda reply: once.set(),), kwargs={"stop": stop})
stop.clear()
reader.start()
engine.publish("python", "echo", {"value": 0})
once.wait(20)
stop.set()
reader.join()
for n in range(3):
    engine.publish("python", "echo", {"value": n}, id=f"${queue}-{n}", correlation_id=f"issue-{n}")
engine.publish("python", "refuse", {}, id="${queue}-refused")
engine.publish("python", "echo", {"value": 9}, id="${queue}-silent", reply_to="")
`,
      clientOptions(fleet),
    );
    await publisher.end();
    await fleet.until(
      "the silent one's result",
      async () => (await fleet.rows(`${queue}-silent`))[0],
    );
    const junk = Buffer.from("not json");
    fleet.channel.sendToQueue(queue, junk, { messageId: "junk/1", type: "junk.result" });
    const reader = startPython(
      `
stop, tries = threading.Event(), []
def handle(reply):
    tries.append(reply.id)
    if reply.id.endswith("-1") and tries.count(reply.id) < 3:
        raise RuntimeError("not yet")
    show(reply)
    if len(set(tries)) == 4 and tries.count("${queue}-1") == 3:
        stop.set()
client(reply_queue="${queue}").replies(handle, stop=stop)
show([tries.count("${queue}-1"), sorted(set(troubles))])
`,
      clientOptions(fleet),
    );
    const shown = (await reader.end()) as Record<string, unknown>[];
    expect(shown.pop()).toEqual([3, ["handler_failed", "unreadable_message"]]);
    expect(shown.map(({ id }) => String(id).replace(`${queue}-`, "")).sort()).toEqual(
      // The one that failed comes last, and the others did not wait for it.
      ["0", "1", "2", "refused"],
    );
    expect(shown.at(-1)).toMatchObject({
      ...{ id: `${queue}-1`, correlation_id: "issue-1", engine: "python", action: "echo" },
      ...{ status: "succeeded", output: { value: 1 }, error: null, attempt: 1 },
    });
    expect(shown.find(({ id }) => id === `${queue}-refused`)).toMatchObject({
      ...{ status: "failed", output: null, error: { code: "rejected", message: "not today" } },
    });
    expect((await fleet.channel.checkQueue(queue)).messageCount).toBe(0);
  });

  test("a copy of a reply is dropped", async () => {
    const reader = startPython(
      `
stop = threading.Event()
def handle(reply):
    show(reply.id)
    if reply.id == "last":
        stop.set()
client(reply_queue="${queue}").replies(handle, stop=stop)
`,
      clientOptions(fleet),
    );
    const body = Buffer.from(JSON.stringify({ status: "succeeded", output: 1 }));
    for (const id of ["first", "first", "last"])
      fleet.channel.sendToQueue(queue, body, {
        ...{ messageId: `python/${id}/0/succeeded`, type: "python.echo.v1.result" },
        headers: { "x-attempt": 1 },
      });
    expect(await reader.end()).toEqual(["first", "last"]);
  });

  test("events come to who listens, and wait in a durable queue for who does not yet", async () => {
    const name = `${fleet.names.prefix}x.events`;
    const program = startPython(
      `
engine = client()
def listen(**options):
    stop = threading.Event()
    def handle(event):
        show([options.get("queue"), event.type, event.body])
        stop.set()
    thread = threading.Thread(target=engine.events, args=("python.*", handle), kwargs={**options, "stop": stop})
    thread.start()
    return thread
live, durable = listen(), listen(queue="${name}")
input()
engine.publish("python", "echo", {"value": 1})
live.join()
durable.join()
engine.publish("python", "echo", {"value": 2})
listen(queue="${name}").join()
`,
      clientOptions(fleet),
    );
    await fleet.until("the durable queue", async () => {
      const { length } = await boundQueues(name);
      return length > 0 || undefined;
    });
    await new Promise((resolve) => setTimeout(resolve, 500)); // The other queue's name is not known.
    program.tell();
    const shown = await program.end();
    const event = (value: number) => ["python.echoed", { value }];
    expect(shown.slice(0, 2)).toEqual(
      expect.arrayContaining([
        [null, ...event(1)],
        [name, ...event(1)],
      ]),
    );
    expect(shown.slice(2)).toEqual([[name, ...event(2)]]);
  });

  /** A channel of its own: asking for a queue that is not there closes it. */
  async function boundQueues(name: string): Promise<string[]> {
    const probe = await fleet.model.createChannel();
    probe.on("error", () => {});
    try {
      await probe.checkQueue(name);
      await probe.close();
      return [name];
    } catch {
      return [];
    }
  }
});
