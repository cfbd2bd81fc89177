/** Checks at run time what types can't hold: names, ranges, and keys that JavaScript would pass over in silence. */
import { MAX_EXPIRES_S, MAX_FILE_BYTES, MIN_EXPIRES_S } from "../files/files.ts";
import { MAX_COUNT } from "../wire/headers.ts";
import { NAME } from "../wire/names.ts";
import { isAsyncFunction, isAsyncSchema } from "./async-schema.ts";
import { checkSchedules } from "./check-schedule.ts";
import type { Action, Example, WorkerDefinition } from "./define-worker.ts";
import { checkKeys, checkRanges, type Fail } from "./option-checks.ts";

/** Each number with its least and its most. */
const RANGES = {
  concurrency: [1, 10_000],
  // 25 min: the broker's consumer timeout is 30.
  timeoutMs: [100, 1_500_000],
  // A message carries its attempt up to this number.
  maxAttempts: [1, MAX_COUNT],
  transactions: [0, 100],
  batches: [1, 100],
  maxHeldBytes: [1, 1024 * 1024 * 1024],
} as const;
const ACTION_RANGES = {
  version: [1, 999_999],
  maxInputBytes: [1, 16 * 1024 * 1024],
  maxOutputBytes: [1, 16 * 1024 * 1024],
} as const;
const FILES_RANGES = {
  maxBytes: [1, MAX_FILE_BYTES],
  expiresS: [MIN_EXPIRES_S, MAX_EXPIRES_S],
} as const;

const KEYS = [
  ...["name", "actions", "on", "redis", "files", "env", "purge", "later", "background"],
  "schedules",
  ...Object.keys(RANGES),
];
const ACTION_KEYS = [
  ...["input", "output", "emits", "examples", "handle", "handleBatch"],
  ...Object.keys(ACTION_RANGES),
];
const SUBSCRIPTION_KEYS = ["action", "map"];
const EXAMPLE_KEYS = ["title", "input"];
/** Of an event type, which is a routing key: words with points between. */
const EVENT_TYPE = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/;

/** @throws {TypeError} that names the worker, the place and what may stand there. */
export function checkDefinition(definition: WorkerDefinition): void {
  const { name, actions, on = {}, redis = false, env, purge, later, background } = definition;
  const fail = (what: string): never => {
    throw new TypeError(`defineWorker(${JSON.stringify(name)}): ${what}`);
  };
  if (typeof name !== "string" || !NAME.test(name)) fail(`the name must match ${NAME}`);
  checkKeys(definition, KEYS, "", fail);
  checkRanges(definition, RANGES, "", ["concurrency", "timeoutMs"], fail);
  if (typeof redis !== "boolean") fail("redis must be true or false");
  checkFiles(definition, fail);
  const prefix = `${name.toUpperCase().replaceAll("-", "_")}_`;
  for (const variable of Object.keys(env?.shape ?? {}))
    if (!variable.startsWith(prefix) || !/^[A-Z0-9_]+$/.test(variable))
      fail(`env: the variable ${variable} must begin with ${prefix}, and be of A-Z, 0-9 and _`);
  if (purge !== undefined && typeof purge !== "function") fail("purge must be a function");
  if (background !== undefined && typeof background !== "function")
    fail("background must be a function");
  if (later !== undefined) checkSubscription(later, "later", actions, fail);
  for (const [key, action] of Object.entries(actions)) {
    if (!NAME.test(key)) fail(`the action name ${JSON.stringify(key)} must match ${NAME}`);
    checkAction(key, action, fail);
  }
  for (const [event, subscription] of Object.entries(on)) {
    checkSubscription(subscription, `on[${JSON.stringify(event)}]`, actions, fail);
  }
  checkSchedules(definition.schedules ?? {}, actions, fail);
}

function checkSubscription(
  subscription: { action: string; map: unknown },
  place: string,
  actions: WorkerDefinition["actions"],
  fail: Fail,
): void {
  const { action: target, map } = subscription;
  checkKeys(subscription, SUBSCRIPTION_KEYS, `${place}.`, fail);
  if (typeof map !== "function") fail(`${place}.map must be a function`);
  if (isAsyncFunction(map)) fail(`${place}.map must be synchronous`);
  if (!Object.hasOwn(actions, target)) fail(`${place} names no action of this worker`);
}

function checkFiles({ files = false, transactions }: WorkerDefinition, fail: Fail): void {
  if (typeof files === "boolean") {
    if (!files) return;
  } else {
    if (typeof files !== "object" || files === null) fail("files must be true, false or an object");
    checkKeys(files, Object.keys(FILES_RANGES), "files.", fail);
    checkRanges(files, FILES_RANGES, "files.", [], fail);
  }
  if (transactions === 0)
    fail("files needs transactions: a file is kept in that of its job's result");
}

function checkAction(key: string, action: Action, fail: Fail): void {
  const { input, output, emits = {}, handle, handleBatch } = action;
  checkKeys(action, ACTION_KEYS, `${key}.`, fail);
  checkRanges(action, ACTION_RANGES, `${key}.`, ["version"], fail);
  if ((typeof handle === "function") === (typeof handleBatch === "function"))
    fail(`${key} needs a function as handle, or one as handleBatch, and not both`);
  checkExamples(action.examples ?? [], `${key}.examples`, fail);
  for (const type of Object.keys(emits))
    if (!EVENT_TYPE.test(type))
      fail(`${key}.emits: the type ${JSON.stringify(type)} must match ${EVENT_TYPE}`);
  const schemas = [["input", input], ["output", output], ...Object.entries(emits)] as const;
  for (const [place, schema] of schemas)
    if (isAsyncSchema(schema))
      fail(`the schema ${key}.${place} is asynchronous; schemas must be synchronous`);
}

/** Their shape alone: what they hold is tried by the conformance suite, at no cost for a start. */
function checkExamples(examples: readonly Example[], place: string, fail: Fail): void {
  if (!Array.isArray(examples)) fail(`${place} must be a list`);
  for (const [at, example] of examples.entries()) {
    if (typeof example !== "object" || example === null)
      fail(`${place}[${at}] must be an object with title and input`);
    checkKeys(example, EXAMPLE_KEYS, `${place}[${at}].`, fail);
    const { title, input } = example;
    if (typeof title !== "string" || title.trim() === "")
      fail(`${place}[${at}].title must say what it shows`);
    if (typeof input !== "function" || isAsyncFunction(input))
      fail(`${place}[${at}].input must be a synchronous function`);
  }
}
