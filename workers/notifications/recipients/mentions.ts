/** Finds who is mentioned in a text of the tracker's editor. */
import { Parser } from "htmlparser2";
import { CEILINGS } from "../schemas/vocabulary.ts";

const TAG = "mention-component";
const MAX_ID = 255;

export interface Mentions {
  /** Each once, in the order in which they stand. */
  ids: Set<string>;
  /** There were more than are taken. */
  isCut: boolean;
}

const NOBODY: Mentions = { ids: new Set(), isCut: false };

/**
 * The people in the mentions of an HTML text: `<mention-component entity_identifier="…" entity_name="user_mention">`,
 * as Plane's editor writes them. Mentions of anything else, and without an id, are none. Never throws: what is no HTML
 * has no mentions.
 */
export function mentionsIn(html: string | null | undefined): Mentions {
  // Most texts have none, and reading a large one takes long.
  if (!html || !/mention-component/i.test(html)) return NOBODY;
  const ids = new Set<string>();
  let isCut = false;
  const parser = new Parser({
    onopentag(name, { entity_identifier: id = "", entity_name: kind = "" }) {
      if (name !== TAG || kind !== "user_mention" || id === "" || id.length > MAX_ID) return;
      if (ids.size < CEILINGS.mentionsPerText) ids.add(id);
      else if (!ids.has(id)) isCut = true;
    },
  });
  parser.end(html);
  return { ids, isCut };
}
