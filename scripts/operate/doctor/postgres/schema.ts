/** Whether the tables are those that the code was written for. */
import type { Pool } from "@tl-engine/shared/stores/database";
import { readMigrations, verifySchema, WrongSchema } from "@tl-engine/shared/stores/migrate";
import { type Check, failure, ok, warning } from "../check.ts";

export const schema: Check<Pool> = {
  name: "schema",
  looksAt: "every migration ran, as it stands in the code",
  async run(pool, { workers }) {
    const all = (await Promise.all(workers.map(({ folder }) => readMigrations(folder)))).flat();
    // Each worker brings the library's with it.
    const byName = new Map(all.map((it) => [`${it.schema}/${it.name}`, it]));
    try {
      await verifySchema(pool, [...byName.values()]);
    } catch (error) {
      if (!(error instanceof WrongSchema)) throw error;
      return failure("migrations are missing", error.message, "make migrate");
    }
    const { rows } = await pool.query<{ name: string; sha256: string }>(
      "select schema || '/' || name as name, sha256 from engine.migrations",
    );
    const edited = rows.filter(
      ({ name, sha256 }) => (byName.get(name)?.sha256 ?? sha256) !== sha256,
    );
    if (edited.length > 0)
      return failure(
        `${edited.length} migrations were edited`,
        `${edited.map(({ name }) => name).join(", ")} ran with another text than the code has: what stands in the tables is not known`,
        "git log -p -- shared/stores/migrations workers/*/migrations",
      );
    const newer = rows.filter(({ name }) => !byName.has(name));
    if (newer.length > 0)
      return warning(
        `${newer.length} migrations more than the code has`,
        `a newer version, or an engine that is gone, has run ${newer.map(({ name }) => name).join(", ")}`,
        `psql "$DATABASE_URL" -c 'select * from engine.migrations order by ran_at'`,
      );
    return ok(`${byName.size} migrations`);
  },
};
