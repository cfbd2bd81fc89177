/** The spellings that an input may have: the schema's own, snake_case, other names, JSON in strings. */
import { z } from "zod";
import { KeyWarning, readSent } from "./read-spellings.ts";
import { noting } from "./spelling-marks.ts";
import { planOf } from "./spelling-plan.ts";

export { alsoAs, describedAs, orJson, readByHandler } from "./spelling-marks.ts";

/** The field `keyWarnings` of an input that wants to know; no caller can send it. */
export const KeyWarnings = z.array(KeyWarning).optional();

/** What a caller sends of an input: all but what the runtime adds. */
type Sent<Input> = Omit<Input, "keyWarnings">;

/**
 * Takes what its schema takes, and the same with keys in snake_case, at any depth, or under the names of
 * {@link alsoAs}. Null stands for absent where the schema lets a field be absent and takes no null.
 * Unknown keys are left out; where the schema has a field `keyWarnings`, at most 20 that are one edit
 * away from a known one are told there, and keys whose spellings disagree.
 */
export function anySpelling<Schema extends z.ZodObject>(
  schema: Schema,
): z.ZodType<z.output<Schema>, Sent<z.input<Schema>>> {
  const plan = planOf(schema);
  const isTold = Object.hasOwn(schema.shape, "keyWarnings");
  const read = z.preprocess((sent, context) => readSent(plan, sent, context, isTold), schema);
  return noting(read, { isAnySpelling: true }) as never;
}
