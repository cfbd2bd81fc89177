/** The repository's .env, for commands that work on the servers it names. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("../../.env", import.meta.url));

/** Adds what the environment does not have by itself. Most repositories have no such file, which is nothing to tell. */
export function readDotEnv(): void {
  if (existsSync(FILE)) process.loadEnvFile(FILE);
}
