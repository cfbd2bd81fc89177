/** What a validator that is not ours says of a value, by a published JSON Schema. */
import { Ajv2020, type AnySchema, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";

/** Strict, so that a keyword with a typo is an error; a condition may name fields that another part describes. */
const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allErrors: false,
  formats: { date: true, "date-time": true },
});
const compiled = new WeakMap<object, ValidateFunction>();

/** Empty where the value is as the schema says. */
export function faultsIn(schema: AnySchema & object, value: unknown): string[] {
  const validate = compiled.get(schema) ?? ajv.compile(schema);
  compiled.set(schema, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }: ErrorObject) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
