/** Inputs and outputs of the engine `template`. */
import { z } from "zod";

export const GreetInput = z.object({ name: z.string().min(1).max(200) });

export const GreetOutput = z.object({ greeting: z.string() });
