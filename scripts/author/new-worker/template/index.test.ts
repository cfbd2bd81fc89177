/** The actions of `template`, called directly. */
import type { Job } from "@tl-engine/shared";
import { expect, test } from "vitest";
import worker from "./index.ts";

const { greet } = worker.actions;
/** This handler uses nothing of the job; one that does gets what it uses here. */
const job = { id: "job-1", attempt: 1 } as Job;

test("greets by name", async () => {
  const input = greet.input.parse({ name: "Ada" });
  expect(await greet.handle?.(input, job)).toEqual({ greeting: "Hello, Ada!" });
});

test("refuses a name that is empty", () => {
  expect(greet.input.safeParse({ name: "" }).success).toBe(false);
});
