/** What the simulator refuses: said in one line, with where it stands and what to do. */
export class BadInput extends Error {
  readonly code = "BadInput";
}

/** A number above zero (or zero, where it may be) from a variable; `fallback` where it is empty. */
export function positive(
  env: NodeJS.ProcessEnv,
  name: string,
  { whole = false, zero = false }: { whole?: boolean; zero?: boolean } = {},
): number | undefined {
  const text = env[name];
  if (text === undefined || text === "") return undefined;
  const value = Number(text);
  if (
    Number.isFinite(value) &&
    (zero ? value >= 0 : value > 0) &&
    (!whole || Number.isInteger(value))
  )
    return value;
  const kind = `${whole ? "a whole number" : "a number"} ${zero ? "from" : "above"} 0`;
  throw new BadInput(`${name} must be ${kind}, not ${JSON.stringify(text)}`);
}
