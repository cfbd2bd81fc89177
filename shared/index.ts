/** What the author of an engine imports. */
export * from "./define-worker.ts";
export * from "./errors.ts";
