/** Checks at run time what types can't hold: names, ranges, and keys that JavaScript would pass over in silence. */
import { MAX_COUNT } from "../wire/headers.ts";
import { NAME } from "../wire/names.ts";
import { isAsyncFunction, isAsyncSchema } from "./async-schema.ts";
import type { Action, WorkerDefinition } from "./define-worker.ts";

/** Each number with its least and its most. */
const RANGES = {
  concurrency: [1, 10_000],
  // 25 min: the broker's consumer timeout is 30.
  timeoutMs: [100, 1_500_000],
  // A message carries its attempt up to this number.
  maxAttempts: [1, MAX_COUNT],
  transactions: [0, 100],
} as const;
const ACTION_RANGES = {
  version: [1, 999_999],
  maxInputBytes: [1, 16 * 1024 * 1024],
  maxOutputBytes: [1, 16 * 1024 * 1024],
} as const;
type Ranges = Readonly<Record<string, readonly [number, number]>>;

const KEYS = ["name", "actions", "on", "env", "purge", ...Object.keys(RANGES)];
const ACTION_KEYS = [
  ...["input", "output", "emits", "handle", "handleBatch"],
  ...Object.keys(ACTION_RANGES),
];
const SUBSCRIPTION_KEYS = ["action", "map"];
/** Of an event type, which is a routing key: words with points between. */
const EVENT_TYPE = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/;

/** @throws {TypeError} that names the worker, the place and what may stand there. */
export function checkDefinition(definition: WorkerDefinition): void {
  const { name, actions, on = {}, env, purge } = definition;
  const fail = (what: string): never => {
    throw new TypeError(`defineWorker(${JSON.stringify(name)}): ${what}`);
  };
  if (typeof name !== "string" || !NAME.test(name)) fail(`the name must match ${NAME}`);
  checkKeys(definition, KEYS, "", fail);
  checkRanges(definition, RANGES, "", ["concurrency", "timeoutMs"], fail);
  const prefix = `${name.toUpperCase().replaceAll("-", "_")}_`;
  for (const variable of Object.keys(env?.shape ?? {}))
    if (!variable.startsWith(prefix) || !/^[A-Z0-9_]+$/.test(variable))
      fail(`env: the variable ${variable} must begin with ${prefix}, and be of A-Z, 0-9 and _`);
  if (purge !== undefined && typeof purge !== "function") fail("purge must be a function");
  for (const [key, action] of Object.entries(actions)) {
    if (!NAME.test(key)) fail(`the action name ${JSON.stringify(key)} must match ${NAME}`);
    checkAction(key, action, fail);
  }
  for (const [event, subscription] of Object.entries(on)) {
    const place = `on[${JSON.stringify(event)}]`;
    const { action: target, map } = subscription;
    checkKeys(subscription, SUBSCRIPTION_KEYS, `${place}.`, fail);
    if (typeof map !== "function") fail(`${place}.map must be a function`);
    if (isAsyncFunction(map)) fail(`${place}.map must be synchronous`);
    if (!Object.hasOwn(actions, target)) fail(`${place} names no action of this worker`);
  }
}

type Fail = (what: string) => never;

function checkAction(key: string, action: Action, fail: Fail): void {
  const { input, output, emits = {}, handle, handleBatch } = action;
  checkKeys(action, ACTION_KEYS, `${key}.`, fail);
  checkRanges(action, ACTION_RANGES, `${key}.`, ["version"], fail);
  if ((typeof handle === "function") === (typeof handleBatch === "function"))
    fail(`${key} needs a function as handle, or one as handleBatch, and not both`);
  for (const type of Object.keys(emits))
    if (!EVENT_TYPE.test(type))
      fail(`${key}.emits: the type ${JSON.stringify(type)} must match ${EVENT_TYPE}`);
  const schemas = [["input", input], ["output", output], ...Object.entries(emits)] as const;
  for (const [place, schema] of schemas)
    if (isAsyncSchema(schema))
      fail(`the schema ${key}.${place} is asynchronous; schemas must be synchronous`);
}

function checkKeys(object: object, known: string[], place: string, fail: Fail): void {
  for (const key of Object.keys(object))
    if (!known.includes(key))
      fail(`${place}${key} is no option${nearest(key, known)}; there are ${known.join(", ")}`);
}

/** What a slip of the hand or another spelling comes from. */
function nearest(key: string, known: string[]): string {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, "");
  const letters = (text: string) => [...plain(text)].toSorted().join("");
  const alike = known.find((name) => {
    const [a, b] = [letters(key), letters(name)];
    return a === b || isOneShorter(a, b) || isOneShorter(b, a);
  });
  return alike === undefined ? "" : `, did you mean ${alike}`;
}

/** Whether one letter more would make the same. */
const isOneShorter = (short: string, long: string) =>
  short.length + 1 === long.length &&
  [...long].some((_, at) => long.slice(0, at) + long.slice(at + 1) === short);

function checkRanges(
  object: object,
  ranges: Ranges,
  place: string,
  needed: string[],
  fail: Fail,
): void {
  for (const [key, [least, most]] of Object.entries(ranges)) {
    const value: unknown = (object as Record<string, unknown>)[key];
    if (value === undefined && !needed.includes(key)) continue;
    const isFine = Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
    const number = (count: number) => count.toLocaleString("en");
    if (!isFine)
      fail(`${place}${key} must be a whole number from ${number(least)} to ${number(most)}`);
  }
}
