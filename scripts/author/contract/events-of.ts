/** The events of an engine, each once: several of its actions may announce the same. */
import type { EventSchemas } from "../../../shared/engine/define-worker.ts";

export const eventsOf = (actions: readonly { emits?: EventSchemas | undefined }[]) => [
  ...new Map(actions.flatMap(({ emits = {} }) => Object.entries(emits))),
];
