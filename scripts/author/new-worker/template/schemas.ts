/** Inputs and outputs of the engine `template`, in which every field says what it is: the contract tells it to callers. */
import { anySpelling } from "@tl-engine/shared";
import { z } from "zod";

export const GreetInput = anySpelling(
  z.object({ name: z.string().min(1).max(200).describe("Who is greeted.") }),
);

export const GreetOutput = z.object({ greeting: z.string().describe("What to say to them.") });
