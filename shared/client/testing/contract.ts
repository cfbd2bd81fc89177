/** The contract of the stand-in's engine, and of one that has no queue. */
import { z } from "zod";
import { contractOf } from "../contract-of.ts";

const say = {
  version: 1,
  input: z.object({
    value: z.number(),
    answer: z.enum(["none", "twice", "fail", "garbage"]).optional(),
  }),
  output: z.object({ value: z.number() }),
};

export const ECHO = contractOf(
  { name: "echo", actions: { say } },
  { name: "absent", actions: { say } },
);
