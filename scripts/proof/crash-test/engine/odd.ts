/** What handlers throw and return that no handler should: other people's code ends in all of these ways. */
import { RetryLater } from "../../../../shared/engine/errors.ts";

export const ODDITIES = [
  "undefined",
  "message-not-a-string",
  "no-prototype",
  "proxy",
  "thenable",
  "later-not-a-number",
] as const;

/** Does as `oddity` says; a thenable is a promise like any other, and gives the answer. */
export function throwOddly<Answer>(oddity: string, answer: () => Answer): Answer | Promise<Answer> {
  switch (oddity) {
    case "undefined":
      // biome-ignore lint/style/useThrowOnlyError: that is the oddity
      throw undefined;
    case "message-not-a-string":
      throw Object.assign(new Error("odd"), { message: { not: "a string" } });
    case "no-prototype":
      throw Object.create(null);
    case "proxy":
      throw new Proxy(new Error("odd"), {
        get() {
          throw new Error("even its properties throw");
        },
        getPrototypeOf() {
          throw new Error("and so does its prototype");
        },
      });
    case "later-not-a-number":
      throw new RetryLater(Number.NaN);
    default:
      return {
        // biome-ignore lint/suspicious/noThenProperty: that is the oddity
        then: (resolve: (value: Answer) => void) => setTimeout(() => resolve(answer()), 5),
      } as unknown as Promise<Answer>;
  }
}
