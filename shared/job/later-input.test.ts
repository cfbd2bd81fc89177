/** What an author may give job.later: what would end as a dead letter at its time, or never go out, throws at once. */
import { expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../engine/define-worker.ts";
import { JobContext, type Tools } from "./job-context.ts";
import type { ReceivedJob } from "./receive.ts";

const definition = defineWorker({
  name: "author",
  concurrency: 1,
  timeoutMs: 1_000,
  actions: {
    any: action({ version: 1, input: z.unknown(), output: z.unknown(), handle: () => null }),
    dated: action({
      version: 1,
      input: z.object({ at: z.date() }),
      output: z.unknown(),
      handle: () => null,
    }),
  },
});
const later = (name: string, input: unknown) => {
  const job = new JobContext({ id: "j" } as ReceivedJob, { definition } as unknown as Tools);
  job.later(name, input, { id: "later", runAt: new Date(Date.now() + 60_000) });
  return job.events.map(({ body }) => body);
};
const deep = () => {
  let value: unknown = {};
  for (let depth = 0; depth < 100; depth++) value = { value };
  return value;
};

test.each([
  ["nothing", "any", undefined],
  ["a function", "any", () => 1],
  ["a bigint", "any", { n: 1n }],
  ["a date, which is a text on the wire", "dated", { at: new Date() }],
  ["more than its action takes", "any", { text: "x".repeat(1024 * 1024) }],
  ["what nests too deep", "any", deep()],
])("not %s", (_what, name, input) => {
  expect(() => later(name, input)).toThrow(TypeError);
});

test("what JSON can hold", () => {
  expect(later("any", { a: [1, "\0", null], gone: undefined })).toEqual([
    '{"a":[1,"\\u0000",null]}',
  ]);
});
