/** Servers of one test file's own, which it may set up in ways that the shared ones must not have. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NativeService } from "../services/native.ts";
import { startPgBouncer, startPostgres } from "../services/postgres.ts";
import { startReaper } from "../services/reaper.ts";
import { startRedis } from "../services/redis.ts";

export interface OwnServers {
  folder: string;
  redis(settings?: Record<string, string>): Promise<NativeService>;
  postgres(): Promise<NativeService>;
  /** In front of a Postgres, for the user of its URL. */
  pgbouncer(databaseUrl: string): Promise<NativeService>;
  /** Ends all of them and removes the folder. */
  end(): Promise<void>;
}

export function openOwnServers(): OwnServers {
  const folder = mkdtempSync(join(tmpdir(), "tl-engine-own-"));
  const reaper = startReaper();
  reaper.removeAtEnd(folder);
  let count = 0;
  const own = () => join(folder, String(++count));
  return {
    folder,
    redis: (settings) => startRedis(own(), reaper, settings),
    postgres: () => startPostgres(own(), reaper),
    pgbouncer: (databaseUrl) => startPgBouncer(own(), databaseUrl, reaper),
    async end() {
      await reaper.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A certificate for `name` that nobody else has signed, and its key: paths of PEM files. */
export function selfSigned(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  const command = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name} -addext subjectAltName=DNS:${name}`;
  execFileSync("openssl", [...command.split(" "), "-keyout", key, "-out", cert], { stdio: "pipe" });
  return { cert, key };
}
