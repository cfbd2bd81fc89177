/** The generated contract: types compile from a definition's schemas, names are right, it is not stale. */
import { expect, test } from "vitest";
import { z } from "zod";
import { action, defineWorker } from "../../shared/engine/define-worker.ts";
import { contractSource } from "./contract/types.ts";
import { contractFiles, engineContract } from "./contract.ts";

const tiny = defineWorker({
  name: "tiny-engine",
  concurrency: 1,
  timeoutMs: 1_000,
  actions: {
    "do-it": action({
      version: 3,
      maxInputBytes: 2_000,
      input: z.object({ title: z.string(), at: z.date().optional(), n: z.number().default(1) }),
      output: z.object({ list: z.array(z.string()).max(20) }),
      emits: { "thing.made": z.object({ id: z.string() }) },
      handle: () => ({ list: [] }),
    }),
  },
});
const internal = defineWorker({ name: "internal", concurrency: 1, timeoutMs: 1_000, actions: {} });

test("an engine's contract has type, limits, schemas, events and error codes", () => {
  const contract = engineContract(tiny);
  expect(contract?.actions["do-it"]).toMatchObject({
    type: "tiny-engine.do-it.v3",
    version: 3,
    maxInputBytes: 2_000,
    maxOutputBytes: 1_048_576,
    emits: ["thing.made"],
  });
  expect(contract?.actions["do-it"]?.input).toMatchObject({ required: ["title"] });
  expect(Object.keys(contract?.events ?? {})).toEqual(["thing.made"]);
  expect(contract?.errorCodes).toContain("idempotency_conflict");
  expect(engineContract(internal)).toBeUndefined();
});

test("the client's types: what has a default is optional in the input, names come from engine and action", async () => {
  const source = await contractSource([tiny]);
  expect(source).toMatch(/interface TinyEngineDoItInput \{\s*title: string;?\s*at\?: /);
  expect(source).toMatch(/n\?: number/);
  expect(source).toMatch(/list: string\[\]/);
  expect(source).toMatch(/"thing\.made": ThingMade;/);
  expect(source).toContain('"do-it":{"version":3,"maxInputBytes":2000}');
});

test("internal workers stay out of the files", async () => {
  const files = await contractFiles([internal, tiny]);
  expect([...files.keys()]).toEqual([
    "docs/contract/tiny-engine.json",
    "docs/contract/tiny-engine.md",
    "docs/contract/asyncapi.json",
    "docs/contract/index.html",
    "docs/contract/README.md",
    "shared/client/contract.ts",
    "docs/contract/python/tl_engine.py",
  ]);
  expect(files.get("docs/contract/python/tl_engine.py")).toContain(
    '    "tiny-engine": {\n        "do-it": {"version": 3, "max_input_bytes": 2000},\n    },\n}\n#',
  );
  expect(files.get("docs/contract/README.md")).toMatch(/\| `do-it` +\| `tiny-engine.do-it.v3` +\|/);
});
