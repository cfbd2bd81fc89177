/** Reads the members of a project who may have to be told of a change. */
import type { Tx } from "@tl-engine/shared";
import type { Member } from "../recipients/change.ts";
import { LEVELS, Switches } from "../schemas/vocabulary.ts";

export interface NamedMember extends Member {
  name: string | null;
}

const READ = `
  select m.id, m.name, m.active and s.is_on active, m.level, m.switches
  from engine_notifications.memberships s join engine_notifications.members m on m.id = s.member_id
  where s.project_id = $1 and (m.id = any($2::text[]) or m.level = 'watch')`;

/** Those of the ids who are members, and all who watch the project. Preferences that nobody put are the defaults. */
export async function readMembers(
  tx: Tx,
  projectId: string,
  ids: readonly string[],
): Promise<NamedMember[]> {
  const { rows } = await tx.query<{
    id: string;
    name: string | null;
    active: boolean;
    level: string | null;
    switches: unknown;
  }>(READ, [projectId, ids]);
  return rows.map(({ level, switches, ...member }) => ({
    ...member,
    level: LEVELS.find((known) => known === level) ?? "global",
    switches: Switches.parse(switches ?? {}),
  }));
}
