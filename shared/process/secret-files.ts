/** `AMQP_URL_FILE` and the like: a variable with a credential, read from a mounted file instead. */
import { readFileSync } from "node:fs";

/** Variables that a file may hold, named by the variable with `_FILE` behind it. */
export const FROM_FILES = [
  "AMQP_URL",
  "DATABASE_URL",
  "REDIS_URL",
  "RABBITMQ_MANAGEMENT_URL",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
] as const;

type Variables = Record<string, string | undefined>;

/**
 * Takes from their files those of `names` that have one. Problems, by variable, hold neither a file's
 * content nor its path, which is where a URL ends up by mistake.
 */
export function withFiles(env: Variables, names: readonly string[]) {
  const found: Variables = { ...env };
  const problems = new Map<string, string>();
  for (const name of FROM_FILES) {
    const path = env[`${name}_FILE`];
    if (!path || !names.includes(name)) continue;
    if (env[name]) problems.set(name, `is given beside ${name}_FILE: give one of them`);
    else {
      const { text, problem } = readSecret(path);
      found[name] = text;
      if (problem !== undefined) problems.set(`${name}_FILE`, problem);
    }
  }
  return { found, problems };
}

function readSecret(path: string): { text?: string; problem?: string } {
  try {
    // Editors and `echo` end a file with a newline, which is no part of a URL.
    const text = readFileSync(path, "utf8").replace(/[\r\n]+$/, "");
    return text === "" ? { problem: "names an empty file" } : { text };
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    return { problem: `names a file that can't be read (${code}): give the path of one that can` };
  }
}
