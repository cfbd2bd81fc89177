/** Checks a file of rules, JSON or YAML: what is wrong, and in which line. */
import { atOnce } from "@tl-engine/shared";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { isObject, type Path, pathText } from "./rules/problem.ts";
import { readRules } from "./rules/read-rules.ts";
import { CEILINGS } from "./schemas/vocabulary.ts";
import { type Doubt, Warnings } from "./warnings.ts";

export interface RuleProblem {
  /** From 1. */
  line: number;
  column: number;
  /** `rules[2].conditions.op`; empty is the file as a whole. */
  path: string;
  message: string;
}
export interface RulesChecked {
  /** Good rules. */
  rules: number;
  /** In the order of the file. */
  problems: RuleProblem[];
}

/** @param text `{"rules": […]}`, or the list alone. */
export function checkRules(text: string): RulesChecked {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const at = (offset: number, path: Path, message: string): RuleProblem => {
    const { line, col } = counter.linePos(offset);
    return { line, column: col, path: pathText(path), message };
  };
  const broken = [...document.errors, ...document.warnings].map(({ pos, message }) =>
    at(pos[0], [], message.split("\n")[0]?.replace(/ at line .*/, "") ?? "can't be read"),
  );
  if (broken.length > 0) return { rules: 0, problems: broken };
  const { sent, path, fault } = rulesIn(document);
  if (fault !== undefined)
    return { rules: 0, problems: [at(offsetOf(document, path), path, fault)] };
  const warnings = new Warnings();
  const good = atOnce(readRules(sent, path, warnings));
  const problems = warnings.doubts.map(({ path: where, message }: Doubt) =>
    at(offsetOf(document, where), where, message),
  );
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  return { rules: good.length, problems };
}

interface Found {
  sent: readonly unknown[];
  path: Path;
  fault?: string;
}

function rulesIn(document: Document): Found {
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { sent: [], path: [], fault: (error as Error).message };
  }
  const sent = isObject(content) ? content.rules : content;
  const path = isObject(content) ? ["rules"] : [];
  if (!Array.isArray(sent))
    return { sent: [], path, fault: 'there must be {"rules": […]}, or a list of rules' };
  if (sent.length <= CEILINGS.rules) return { sent, path };
  const fault = `there are ${sent.length} rules, of which a set may have ${CEILINGS.rules}`;
  return { sent: [], path, fault };
}

/** Where the path's last part stands that is there: its key, or the element of a list. */
function offsetOf({ contents }: Document, path: Path): number {
  let node: unknown = contents;
  let offset = startOf(node) ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)];
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

const startOf = (node: unknown) => (node as Node | null | undefined)?.range?.[0];
