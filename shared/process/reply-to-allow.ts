/** Reads REPLY_TO_ALLOW: which queues a caller may name for its replies. */
import { PUBLISHER } from "../wire/names.ts";

/** One entry of the list. */
export interface ReplyToEntry {
  /** Undefined where it is for all who have no entry of their own. */
  publisher: string | undefined;
  /** A queue's name, in which `*` stands for any text. */
  pattern: string;
}

/** `pattern` or `publisher=pattern`, comma-separated; undefined where an entry is neither. */
export function readReplyToAllow(list: string): ReplyToEntry[] | undefined {
  const texts = list.split(",").map((entry) => entry.trim());
  const entries = texts.filter((entry) => entry !== "").map(readEntry);
  return entries.every((entry) => entry !== undefined) ? entries : undefined;
}

function readEntry(entry: string): ReplyToEntry | undefined {
  const [name = "", pattern, ...rest] = entry.split("=");
  if (pattern === undefined) return { publisher: undefined, pattern: name };
  if (!PUBLISHER.test(name) || pattern === "" || rest.length > 0) return undefined;
  return { publisher: name, pattern };
}
