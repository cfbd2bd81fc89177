/** The schedules of all engines as the scheduler's file has them, each tried as the scheduler and its engine would. */
import type { Action, Schedule, WorkerDefinition } from "@tl-engine/shared";
import { jobType, SCHEDULER } from "@tl-engine/shared/wire/names";
import type { z } from "zod";

/** A schedule that the scheduler would not keep, or whose jobs its engine would refuse. */
export class BadSchedules extends Error {
  override readonly name = "BadSchedules";
  readonly code = "bad_schedules";
}

/** One schedule, as the scheduler's `put` takes it. */
interface Entry extends Omit<Schedule, "action"> {
  name: string;
  type: string;
}

/**
 * In order of their names; undefined where the fleet has no scheduler, and nothing for one.
 * @throws {BadSchedules} that names each that is bad, and why.
 */
export function schedulesFile(definitions: readonly WorkerDefinition[]): Entry[] | undefined {
  const put = definitions.find(({ name }) => name === SCHEDULER)?.actions.put?.input;
  const entries = definitions.flatMap(({ name: engine, schedules = {}, actions }) =>
    Object.entries(schedules).map(([name, { action, ...rest }]) => {
      const { version, input } = actions[action] as Action;
      const entry: Entry = {
        ...{ name: `${engine}.${name}`, type: jobType(engine, action, version) },
        ...rest,
      };
      return { entry, input };
    }),
  );
  if (put === undefined) {
    if (entries.length === 0) return undefined;
    throw new BadSchedules(
      `no engine is called ${SCHEDULER}, which would run ${entries.map(({ entry }) => entry.name).join(", ")}`,
    );
  }
  const problems = entries.flatMap(({ entry, input }) => [
    ...problemsOf(entry.name, put, entry),
    ...problemsOf(`${entry.name}: input`, input, entry.input ?? {}),
  ]);
  if (problems.length > 0) throw new BadSchedules(problems.join("\n"));
  return entries.map(({ entry }) => entry).sort((a, b) => (a.name < b.name ? -1 : 1));
}

function problemsOf(what: string, schema: z.ZodType, value: unknown): string[] {
  // As it comes out of the file, and out of a message.
  const result = schema.safeParse(JSON.parse(JSON.stringify(value)));
  if (result.success) return [];
  return result.error.issues.map(({ path, message }) =>
    [what, path.join("."), message].filter((part) => part !== "").join(": "),
  );
}
