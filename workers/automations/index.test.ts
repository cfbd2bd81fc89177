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

test.each(Object.entries(worker.actions))(
  "%s answers what its schema lets in",
  async (_, action) => {
    for (const input of sampleInputs(action.input)) {
      // It may refuse an input; after any other error the same job would be tried again, in vain.
      await runAction(action, input as never).catch((error) =>
        expect(error).toBeInstanceOf(Reject),
      );
    }
  },
);
