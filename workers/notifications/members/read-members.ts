/** Reads the members of a project who may have to be told of a change. */
import type { Tx } from "@tl-engine/shared";
import type { Member } from "../recipients/change.ts";
import { LEVELS, Switches } from "../schemas/vocabulary.ts";

export interface NamedMember extends Member {
  name: string | null;
}

const READ = `
  select s.project_id "projectId", m.id, m.name, m.active and s.is_on active, m.level, m.switches
  from engine_notifications.memberships s join engine_notifications.members m on m.id = s.member_id
  where s.project_id = any($1::text[])
    and ((s.project_id, m.id) in (select * from unnest($2::text[], $3::text[])) or m.level = 'watch')`;

export interface ReadMembers {
  /** Those of the ids who are members of the project, and all who watch it. */
  of(projectId: string, ids: readonly string[]): NamedMember[];
}

/** Who may have to be told, in all of the projects at once. Preferences that nobody put are the defaults. */
export async function readMembers(
  tx: Tx,
  asked: readonly { projectId: string; ids: readonly string[] }[],
): Promise<ReadMembers> {
  const wanted = new Map<string, Set<string>>();
  for (const { projectId, ids } of asked) {
    const known = wanted.get(projectId) ?? new Set();
    for (const id of ids) known.add(id);
    wanted.set(projectId, known);
  }
  const pairs = [...wanted].flatMap(([projectId, ids]) => [...ids].map((id) => [projectId, id]));
  const { rows } = await tx.query<{
    projectId: string;
    id: string;
    name: string | null;
    active: boolean;
    level: string | null;
    switches: unknown;
  }>(READ, [[...wanted.keys()], pairs.map(([projectId]) => projectId), pairs.map(([, id]) => id)]);
  const byProject = Map.groupBy(rows, ({ projectId }) => projectId);
  const found = new Map(
    [...byProject].map(([projectId, own]) => [
      projectId,
      own.map(
        ({ projectId: _, level, switches, ...member }): NamedMember => ({
          ...member,
          level: LEVELS.find((known) => known === level) ?? "global",
          switches: Switches.parse(switches ?? {}),
        }),
      ),
    ]),
  );
  return {
    of(projectId, ids) {
      const own = new Set(ids);
      return (found.get(projectId) ?? []).filter(
        ({ id, level }) => own.has(id) || level === "watch",
      );
    },
  };
}
