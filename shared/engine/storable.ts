/** A text that Postgres can store. */
import { z } from "zod";

/** Postgres refuses NUL; the contract says so as a pattern. */
export const storable = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((text) => !text.includes("\0"), "must not hold a NUL character")
    .meta({ pattern: "^[^\\u0000]*$" });
