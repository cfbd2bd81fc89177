/** What the author of an engine imports. */
export * from "./engine/define-worker.ts";
export * from "./engine/errors.ts";
export { type FileFieldOptions, file, InputFile } from "./engine/file-schema.ts";
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
export { storable } from "./engine/storable.ts";
export * from "./engine/turns.ts";
export { BadFile, FilesUnavailable } from "./files/errors.ts";
export type { Files, FilesOptions, StoredFile, Swept } from "./files/files.ts";
export { sweepFilesAction } from "./files/sweep-action.ts";
export type { FileReference } from "./wire/files.ts";
