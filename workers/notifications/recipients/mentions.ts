/** Finds who is mentioned in a text of the tracker's editor. */
import type { Steps } from "@tl-engine/shared";
import { Tokenizer, type TokenizerCallbacks } from "htmlparser2";
import { CEILINGS, Id } from "../schemas/vocabulary.ts";

const TAG = "mention-component";
const MAX_ID = 255;
/** Characters between two yields: a millisecond's work. */
const PIECE = 32_768;

export interface Mentions {
  /** Each once, in the order in which they stand. */
  ids: ReadonlySet<string>;
  /** There were more than are taken. */
  isCut: boolean;
}

const NOBODY: Mentions = { ids: new Set(), isCut: false };

/**
 * The people in the mentions of an HTML text: `<mention-component entity_identifier="…" entity_name="user_mention">`,
 * as Plane's editor writes them. Mentions of anything else, and without an id, are none. Never throws: what is no HTML
 * has no mentions.
 */
export function* mentionsIn(html: string | null | undefined): Steps<Mentions> {
  // Most texts have none, and reading a large one takes long.
  if (!html || !/mention-component/i.test(html)) return NOBODY;
  const ids = new Set<string>();
  let isCut = false;
  const found = (id: string) => {
    if (ids.size < CEILINGS.mentionsPerText) ids.add(id);
    else if (!ids.has(id)) isCut = true;
  };
  // Without the parser's stack of open elements, which makes deeply nested ones slow: a mention needs no other's end.
  const tokenizer = new Tokenizer({ decodeEntities: true }, mentionReader(html, found));
  for (let at = 0; at < html.length; at += PIECE) {
    tokenizer.write(html.slice(at, at + PIECE));
    yield;
  }
  tokenizer.end();
  return { ids, isCut };
}

const ID = "entity_identifier";
const KIND = "entity_name";

/** Calls `found` with the id of each mention of a person; of an attribute that comes twice the first counts, as in HTML. */
function mentionReader(html: string, found: (id: string) => void): TokenizerCallbacks {
  let isMention = false;
  let attributes = new Map<string, string>();
  /** Undefined while an attribute is read that says nothing. */
  let name: string | undefined;
  let value = "";
  const add = (text: string) => {
    if (name !== undefined && value.length <= MAX_ID) value += text;
  };
  const endTag = () => {
    const id = attributes.get(ID) ?? "";
    if (isMention && attributes.get(KIND) === "user_mention" && Id.safeParse(id).success) found(id);
    isMention = false;
  };
  return {
    onopentagname(start, end) {
      isMention = end - start === TAG.length && html.slice(start, end).toLowerCase() === TAG;
      attributes = new Map();
    },
    onattribname(start, end) {
      const known = isMention && end - start <= ID.length && html.slice(start, end).toLowerCase();
      name = known === ID || known === KIND ? known : undefined;
      value = "";
    },
    onattribdata: (start, end) => add(html.slice(start, Math.min(end, start + MAX_ID + 1))),
    onattribentity: (codepoint) => add(String.fromCodePoint(codepoint)),
    onattribend() {
      if (name !== undefined && !attributes.has(name)) attributes.set(name, value);
    },
    onopentagend: endTag,
    onselfclosingtag: endTag,
    ...NOTHING_ELSE,
  };
}

const ignore = () => {};
const NOTHING_ELSE = {
  oncdata: ignore,
  onclosetag: ignore,
  oncomment: ignore,
  ondeclaration: ignore,
  onend: ignore,
  onprocessinginstruction: ignore,
  ontext: ignore,
  ontextentity: ignore,
};
