/** Takes secrets out of a text before it is logged or told; in doubt more than the secret goes. */

/**
 * Hides the credentials of every URL in a text, and the values of `password=`, `passwd=` and `pwd=`.
 *
 * - All between `://` and the last `@` before a white space, a quote or the next URL of a list is hidden:
 *   a password may hold `@`, `/`, `?` or `#` as it is.
 * - An `@` in a path is none of this, as in `https://host/users/a@b.c`, if the host is only a name or an
 *   address. Behind `host:8080/` it counts as credentials: `8080/…` may as well be a password.
 * - `user:` without an `@` behind it is taken for credentials that were cut off, unless a port follows.
 * - What follows `password=` is hidden up to the closing quote, or to the next white space.
 */
export function redactUrls(text: string): string {
  return withoutCredentials(text).replace(PASSWORD, "$1***");
}

const QUOTED = [`'`, `"`].map(
  (quote) => String.raw`${quote}(?:[^${quote}\\]|\\[^])*(?:${quote}|$)`,
);
const UNQUOTED = String.raw`(?:\\[^]|[^\s\\])+`;
const PASSWORD = new RegExp(
  String.raw`((?:password|passwd|pwd)\s*=\s*)(?:${[...QUOTED, UNQUOTED].join("|")})`,
  "gi",
);
const SEPARATOR = "://";
/** Longer ones are looked at in part, or a text of nothing but separators would take for ever. */
const MAX_URL = 2_048;
const QUOTE_OR_NEXT = /["'`]|[,;|][a-z][a-z0-9+.-]*:\/\//i;
/** Where the authority of a URL ends that has no raw characters in its password. */
const AUTHORITY_END = /[/?#]/;
const HOST = /^(?:[^:@]*|\[[0-9a-f:.]*\](?::\d*)?)$/i;
/** With what a sentence may put behind it. */
const HOST_AND_PORT = /^(?:[^:@]*|\[[0-9a-f:.]*\])(?::\d*[).;:!?\]}>]*)?$/i;

/** Every URL in its turn: one may stand in another's path or query. */
function withoutCredentials(text: string): string {
  let redacted = "";
  let at = 0;
  for (let next = text.indexOf(SEPARATOR); next !== -1; next = text.indexOf(SEPARATOR, next)) {
    next += SEPARATOR.length;
    const hidden = hiddenLength(text.slice(next, next + MAX_URL));
    if (hidden === 0) continue;
    redacted += `${text.slice(at, next)}***`;
    next += hidden;
    at = next;
  }
  return redacted + text.slice(at);
}

/** How much of what stands behind a separator is credentials, without the `@`. */
function hiddenLength(text: string): number {
  const word = before(text, /\s/);
  const url = before(word, QUOTE_OR_NEXT);
  const authority = before(url, AUTHORITY_END);
  const lastAt = url.lastIndexOf("@");
  if (lastAt !== -1) return HOST.test(authority) ? 0 : lastAt;
  if (authority.split(",").every((host) => HOST_AND_PORT.test(host))) return 0;
  // Cut off, or its password holds a quote.
  const lateAt = word.lastIndexOf("@");
  return lateAt === -1 ? url.length : lateAt;
}

function before(text: string, end: RegExp): string {
  const at = text.search(end);
  return at === -1 ? text : text.slice(0, at);
}
