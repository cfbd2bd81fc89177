/** The contract of the engine: what its actions take and give, with the ceilings of lists. */
export * from "./schemas/flow-input.ts";
export * from "./schemas/flow-output.ts";
export * from "./schemas/ingest.ts";
export { CEILINGS, STATE_GROUPS, type StateGroup } from "./schemas/vocabulary.ts";
