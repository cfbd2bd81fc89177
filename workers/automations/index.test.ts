/** The actions of `automations`, called directly. */
import { basename } from "node:path";
import { Reject } from "@tl-engine/shared";
import { sampleInputs } from "@tl-engine/shared/testing/schema-arbitrary";
import { runAction } from "@tl-engine/shared/testing/test-job";
import { expect, test } from "vitest";
import worker from "./index.ts";

test("the engine is called like its folder", () => {
  expect(worker.name).toBe(basename(import.meta.dirname));
});

test("evaluate answers what its schema lets in", async () => {
  const { evaluate } = worker.actions;
  for (const input of sampleInputs(evaluate.input)) {
    // It may refuse an input; after any other error the same job would be tried again, in vain.
    await runAction(evaluate, input as never).catch((error) =>
      expect(error).toBeInstanceOf(Reject),
    );
  }
});
