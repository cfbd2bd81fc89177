/** What looks like a secret in the repository and is none, and why. An entry that fits nothing any more is a problem. */

export interface Allowed {
  /** Fits what was found, not the line around it. */
  text: RegExp;
  /** Fits paths; everywhere without it. */
  files?: RegExp;
  why: string;
}

export const ALLOWED_SECRETS: readonly Allowed[] = [
  {
    text: /^\w+:\/\/guest:guest@/,
    why: "RabbitMQ's own user, which it lets in from the machine itself alone",
  },
  {
    text: /:(?:password|PASSWORD|clave)@/,
    why: "the place for a password in an example",
  },
  {
    text: /:(?:hunter\d[a-z-]*|caf%C3%A9-hunter|geheim|secret|p@ss|p\?s#s|.)@/,
    files: /\.test\.ts$|^shared\/testing\//,
    why: "passwords made up by tests, many of which assert that they are nowhere printed",
  },
];
