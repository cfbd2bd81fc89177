/** The contract of the engine: what its actions take and give, with the ceilings of lists. */
export * from "./schemas/evaluate.ts";
export * from "./schemas/keep.ts";
