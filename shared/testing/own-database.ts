/** A database of a test's own on the server that all share: for an engine whose worker takes up all that its tables hold. */
import { randomBytes } from "node:crypto";
import pg from "pg";

export interface OwnDatabase {
  url: string;
  /** To be called when nothing is connected to it any more. */
  drop(): Promise<void>;
}

/**
 * Creates it, and has this process's DATABASE_URL name it, so that fleets opened from now on are in it.
 * Needs DATABASE_URL in the environment, which the global set-up provides.
 */
export async function useOwnDatabase(): Promise<OwnDatabase> {
  const before = String(process.env.DATABASE_URL);
  const name = `own_${randomBytes(6).toString("hex")}`;
  await asOwner(before, `create database ${name}`);
  const url = new URL(before);
  url.pathname = `/${name}`;
  process.env.DATABASE_URL = url.href;
  return {
    url: url.href,
    async drop() {
      process.env.DATABASE_URL = before;
      await asOwner(before, `drop database ${name} with (force)`);
    },
  };
}

async function asOwner(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
