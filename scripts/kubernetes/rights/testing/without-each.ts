/** Printed rights with one of them taken away, each in its turn. */
import { CLOCK, HANDLERS } from "../redis-rules.ts";

export interface Edited {
  without: string;
  edited: string;
}

const NOTHING = "'^\\b$'";

/** Names that a user of the broker may configure, write to or read, and keys of topics: `^(one|another)$`. */
export function withoutEachName(printed: string): Edited[] {
  const patterns = [...printed.matchAll(/'\^\(([^']*)\)\$'/g)].filter(({ index }) =>
    isBrokers(printed, index),
  );
  return patterns.flatMap(({ 0: whole, 1: inner = "", index }) => {
    const names = inner.split("|");
    return names.map((without) => {
      const left = names.filter((name) => name !== without);
      const pattern = left.length === 0 ? NOTHING : `'^(${left.join("|")})$'`;
      return {
        without,
        edited: printed.slice(0, index) + pattern + printed.slice(index + whole.length),
      };
    });
  });
}

const isBrokers = (printed: string, index: number) =>
  printed.slice(0, index).split("\n").at(-1)?.startsWith("rabbitmqctl ");

/** Keys, channels and commands of a user of Redis. */
export function withoutEachRule(printed: string): Edited[] {
  const [line = ""] = /^redis-cli .*$/m.exec(printed) ?? [];
  return Array.from(line.matchAll(/ '([~&+][^']*)'/g), ([word, without = ""]) => ({
    without,
    edited: printed.replace(word, ""),
  }));
}

/** Without what an engine's own code may do in Redis: what is left, the runtime needs. */
export const withoutHandlers = (printed: string): string =>
  [...HANDLERS, ...CLOCK].reduce((text, rule) => text.replace(` '${rule}'`, ""), printed);

/**
 * What takes a grant of a role back: table by table, and column by column. Of its own tables, where an engine does as
 * it likes, only all at once.
 */
export function revokes(sql: string): string[] {
  // What later tables will be granted is none of what is there.
  const now = sql.replaceAll(/^alter default privileges .*$/gm, "");
  return Array.from(
    now.matchAll(
      /grant ([^;]*?) on ((?:function |schema |all tables in schema )?[a-z][^;]*?) to (\w+);/g,
    ),
    ([, rights = "", on = "", role = ""]) => {
      const taken = on.startsWith("all tables") ? [rights] : rights.split(/,\s*(?![^(]*\))/);
      return taken.flatMap(eachColumn).map((right) => `revoke ${right} on ${on} from ${role}`);
    },
  ).flat();
}

/** `insert (a, b)` is `insert (a)` and `insert (b)`. */
function eachColumn(right: string): string[] {
  const [, verb = "", columns] = /^(\w+) \((.*)\)$/.exec(right) ?? [];
  return columns === undefined ? [right] : columns.split(", ").map((name) => `${verb} (${name})`);
}
