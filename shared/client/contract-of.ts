/** The shape of a contract: which engines and actions there are, in which version, and their types. */

/** Input and output of one action, as types. */
export interface ActionTypes {
  input: unknown;
  output: unknown;
}

declare const types: unique symbol;

/** Engines, their actions and versions; carries the types of `Engines` and `Events` along. */
export interface Contract<Engines = unknown, Events = unknown> {
  readonly engines: Readonly<Record<string, Readonly<Record<string, ActionFacts>>>>;
  /** Never there at run time. */
  readonly [types]?: { engines: Engines; events: Events };
}

/** What the client must know of an action to publish a job for it. */
export interface ActionFacts {
  /** The N of `<engine>.<action>.v<N>`. */
  version: number;
  /** Ceiling of a job's body in bytes. */
  maxInputBytes: number;
}

export type EngineName<Engines> = keyof Engines & string;
export type ActionName<Engines, Engine extends keyof Engines> = keyof Engines[Engine] & string;
export type InputOf<
  Engines,
  Engine extends keyof Engines,
  Action extends keyof Engines[Engine],
> = Engines[Engine][Action] extends { input: infer Input } ? Input : never;
export type OutputOf<
  Engines,
  Engine extends keyof Engines,
  Action extends keyof Engines[Engine],
> = Engines[Engine][Action] extends { output: infer Output } ? Output : never;

/** Anything with zod's inferred types; spelled out so that the client needs no zod. */
interface Schema<Input = unknown, Output = unknown> {
  readonly _zod: { readonly input: Input; readonly output: Output };
}
interface Definition {
  readonly name: string;
  readonly actions: Readonly<
    // biome-ignore lint/suspicious/noExplicitAny: schemas of any type
    Record<string, { version: number; input: any; output: any; maxInputBytes?: number | undefined }>
  >;
}
type InputType<Of> = Of extends Schema<infer Input> ? Input : unknown;
type OutputType<Of> = Of extends Schema<unknown, infer Output> ? Output : unknown;

/** The contract of worker definitions, types and all, for code that has them at hand: tests, benches. */
export function contractOf<const Definitions extends readonly Definition[]>(
  ...definitions: Definitions
): Contract<{
  [D in Definitions[number] as D["name"]]: {
    [A in keyof D["actions"]]: {
      input: InputType<D["actions"][A]["input"]>;
      output: OutputType<D["actions"][A]["output"]>;
    };
  };
}> {
  const engines = definitions.map(({ name, actions }) => [
    name,
    Object.fromEntries(
      Object.entries(actions).map(([action, { version, maxInputBytes = DEFAULT_MAX_BYTES }]) => [
        action,
        { version, maxInputBytes },
      ]),
    ),
  ]);
  return { engines: Object.fromEntries(engines) };
}

/** The ceiling of a job's body where its action sets none: 1 MiB. */
export const DEFAULT_MAX_BYTES = 1_048_576;
