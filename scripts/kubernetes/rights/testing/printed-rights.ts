/** What `make rights` prints, applied to the letter. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const RIGHTS = fileURLToPath(new URL("../../rights.ts", import.meta.url));

export const printedRights = (NAME: string, ENGINE_PREFIX: string): string =>
  execFileSync(process.execPath, [RIGHTS], {
    env: { ...process.env, NAME, ENGINE_PREFIX },
    encoding: "utf8",
  });

/** Runs the part for Postgres in psql, which is told the password as a person would tell it. */
export async function applyToPostgres(
  printed: string,
  databaseUrl: string,
  password: string,
): Promise<void> {
  const [, sql = ""] = /^(-- Postgres.*?)^# Redis/ms.exec(printed) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-rights-"));
  try {
    const file = join(folder, "rights.sql");
    writeFileSync(file, sql);
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
