/** The double of a job: it records what a handler does, and refuses what a worker refuses. */
import { expect, test } from "vitest";
import { z } from "zod";
import { action } from "../engine/define-worker.ts";
import { Reject } from "../engine/errors.ts";
import { runAction, runBatch, testJob } from "./test-job.ts";

const counted = action({
  version: 1,
  input: z.object({ words: z.array(z.string()), tell: z.string().default("counted") }),
  output: z.object({ count: z.number() }),
  emits: { "words.counted": z.object({ count: z.number(), by: z.string().default("nobody") }) },
  async handle({ words, tell }, job) {
    if (words.includes("bad")) throw new Reject("a bad word");
    words.forEach((_, i) => {
      job.progress((i + 1) / words.length, words[i]);
    });
    if (tell === "undeclared") job.emit(tell as "words.counted", { count: 1 });
    job.emit("words.counted", { count: words.length });
    if (tell === "write") await (await job.tx()).query("insert");
    if (tell === "read") await job.db.query("select");
    if (tell === "cache") await job.redis.get(`${job.keyPrefix}words`);
    if (tell === "wait")
      await new Promise((_, reject) => {
        job.signal.addEventListener("abort", () => reject(job.signal.reason));
      });
    return { count: words.length };
  },
});

test("what a handler returns, announces and reports is recorded", async () => {
  const { output, job } = await runAction(counted, { words: ["a", "b"] }, { attempt: 3 });
  expect(output).toEqual({ count: 2 });
  // As its schema gives it out, so that defaults show.
  expect(job.emitted).toEqual([{ type: "words.counted", data: { count: 2, by: "nobody" } }]);
  expect(job.reported).toEqual([
    { fraction: 0.5, note: "a" },
    { fraction: 1, note: "b" },
  ]);
  expect(job.attempt).toBe(3);
});

test("it refuses what a worker refuses, and lets the handler's own errors through", async () => {
  await expect(runAction(counted, { words: "a" as never })).rejects.toThrow(/expected array/);
  await expect(runAction(counted, { words: [], tell: "undeclared" })).rejects.toThrow(
    /does not declare the event undeclared/,
  );
  await expect(runAction(counted, { words: ["bad"] })).rejects.toThrow(Reject);
  const wrong = { ...counted, handle: () => ({ count: "two" }) } as unknown as typeof counted;
  await expect(runAction(wrong, { words: [] })).rejects.toThrow(/expected number/);
});

test("what was not given says so; what was given is used", async () => {
  const asked: string[] = [];
  const query = ((text: string) => {
    asked.push(text);
    return Promise.resolve({ rows: [] });
  }) as never;
  for (const [tell, part] of [
    ["write", "tx"],
    ["read", "db"],
    ["cache", "redis"],
  ] as const) {
    await expect(runAction(counted, { words: [], tell })).rejects.toThrow(
      `the handler asks for ${part}: give the test's job one, as { ${part} }`,
    );
  }
  await runAction(counted, { words: [], tell: "write" }, { tx: { query } });
  await runAction(counted, { words: [], tell: "read" }, { db: { query } });
  const get = async (key: string) => asked.push(key);
  await runAction(counted, { words: [], tell: "cache" }, { redis: { get } as never });
  expect(asked).toEqual(["insert", "select", "test:engine:words"]);
});

test("a test ends a handler that waits, by the reason it names", async () => {
  const job = testJob(counted);
  const running = counted.handle?.({ words: [], tell: "wait" }, job);
  job.abort("timeout");
  await expect(running).rejects.toMatchObject({ name: "Aborted", why: "timeout" });
  expect(job.signal.aborted).toBe(true);
});

test("a batch has one output for each job, and each job its own events", async () => {
  const batched = action({
    version: 1,
    input: z.object({ n: z.number() }),
    output: z.object({ twice: z.number() }),
    emits: { "n.seen": z.object({ n: z.number() }) },
    async handleBatch(jobs, { tx }) {
      await tx.query("insert");
      return jobs.map(({ input: { n }, emit }) => {
        emit("n.seen", { n });
        return { twice: n * 2 };
      });
    },
  });
  const tx = { query: (() => Promise.resolve()) as never };
  const { outputs, jobs } = await runBatch(batched, [{ n: 1 }, { n: 2 }], { tx });
  expect(outputs).toEqual([{ twice: 2 }, { twice: 4 }]);
  expect(jobs.map(({ emitted }) => emitted)).toEqual([
    [{ type: "n.seen", data: { n: 1 } }],
    [{ type: "n.seen", data: { n: 2 } }],
  ]);
  await expect(runBatch(batched, [{ n: 1 }])).rejects.toThrow("give the test's job one");
  const short = { ...batched, handleBatch: () => [] } as unknown as typeof batched;
  await expect(runBatch(short, [{ n: 1 }])).rejects.toThrow("0 outputs for 1 jobs");
  await expect(runAction(batched, { n: 1 })).rejects.toThrow("use runBatch");
});
