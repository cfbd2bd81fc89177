/** What is doubtful about the keys of a job, as outputs tell it. */
import type { KeyWarnings } from "@tl-engine/shared";
import type { z } from "zod";
import type { Warning } from "./schemas/recipients.ts";

export const keyDoubts = (keyWarnings: z.output<typeof KeyWarnings> = []): Warning[] =>
  keyWarnings.map(({ code, path, message }) => ({
    code: code as Warning["code"],
    field: path,
    message,
  }));
