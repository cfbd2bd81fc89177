/** Makes an Error of whatever was thrown: handlers may throw anything, and reading it may throw as well. */

const MAX_TEXT = 1_000;

/**
 * The thrown value itself where it is an Error with texts in its `message` and `stack`; else a plain Error that
 * says what can be said of it. Never throws.
 */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error && typeof thrown.message === "string" && hasStack(thrown))
      return thrown;
  } catch {
    // A Proxy, or a getter that throws: what follows asks again, one by one.
  }
  return new Error(wordsFor(thrown));
}

/** The code of an error (`ECONNREFUSED`, `40P01`), else its name. Never throws. */
export function codeOf(error: Error): string {
  const texts = [quietly(() => (error as { code?: unknown }).code), quietly(() => error.name)];
  return texts.find((text) => typeof text === "string") ?? "Error";
}

function hasStack({ stack }: Error): boolean {
  return stack === undefined || typeof stack === "string";
}

function wordsFor(thrown: unknown): string {
  if (typeof thrown === "string") return thrown.slice(0, MAX_TEXT);
  const message = quietly(() => (thrown as { message?: unknown } | null)?.message);
  for (const text of [message, thrown]) {
    if (typeof text === "string") return text.slice(0, MAX_TEXT);
    if (text === undefined && text !== thrown) continue;
    const json = quietly(() => JSON.stringify(text) ?? String(text));
    if (json !== undefined) return `thrown: ${json.slice(0, MAX_TEXT)}`;
  }
  return "something was thrown that can't be shown";
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Whether awaiting it makes sense: a promise, or something like a query builder that runs when awaited. May throw. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}
