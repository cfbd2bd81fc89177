/** What `make rights` prints, and its SQL in psql as a person runs it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { sqlOf } from "../apply.ts";

const RIGHTS = fileURLToPath(new URL("../../rights.ts", import.meta.url));

/** @param env what `make` is given beside NAME. */
export async function printedRights(
  NAME: string,
  env: { ENGINE_PREFIX: string; REPLY_EXCHANGE?: string; TOOLS_USER?: string; ROLE?: string },
): Promise<string> {
  const options = { env: { ...process.env, NAME, ...env } };
  return (await promisify(execFile)(process.execPath, [RIGHTS], options)).stdout;
}

/** Runs the part for Postgres in psql, which is told the password as a person would tell it. */
export async function applyWithPsql(
  printed: string,
  databaseUrl: string,
  password: string,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-rights-"));
  try {
    const file = join(folder, "rights.sql");
    writeFileSync(file, sqlOf(printed));
    const options = ["-Xq", "-v", "ON_ERROR_STOP=1", "-d", databaseUrl, "-f", file];
    // psql asks at its terminal, and at its input where it has none, as in a session of its own.
    const psql = spawn("psql", options, { detached: true, stdio: "pipe" });
    psql.stdin.end(`${password}\n${password}\n`);
    const [said, [code]] = await Promise.all([text(psql.stderr), once(psql, "close")]);
    if (code !== 0) throw new Error(`psql refuses what is printed: ${said}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
