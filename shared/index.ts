/** What the author of an engine imports. */
export * from "./engine/define-worker.ts";
export * from "./engine/errors.ts";
export { nearest } from "./engine/nearest.ts";
export type * from "./engine/sample-job.ts";
export type * from "./engine/schedule.ts";
export {
  alsoAs,
  anySpelling,
  describedAs,
  KeyWarnings,
  orJson,
  readByHandler,
} from "./engine/spellings.ts";
export * from "./engine/turns.ts";
