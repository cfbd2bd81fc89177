/** The rules that count for a project, compiled once and kept as long as its sets stay as they are. */
import { atOnce, type Tx } from "@tl-engine/shared";
import { compileRules, type RuleBook } from "./rules/compile.ts";
import { readRules } from "./rules/read-rules.ts";
import type { Rule } from "./rules/rule.ts";
import { CEILINGS } from "./schemas/vocabulary.ts";
import { Warnings } from "./warnings.ts";

/** Where a rule of a book comes from. */
export interface Origin {
  setId: string;
  setVersion: number;
}
export interface ProjectBook {
  book: RuleBook;
  /** Of each rule, by its order. */
  origins: readonly Origin[];
  /** Rules past the ceiling, which are not tried. */
  left: number;
}
/** Where rules are asked for. */
export interface Place {
  workspaceId: string | null;
  projectId: string;
}
interface Head {
  workspaceId: string;
  setId: string;
  version: string;
  digest: string;
  projectId: string | null;
}

const WHERE =
  "(workspace_id = any($1::text[]) or project_id = any($2::text[])) and rules is not null";
/** Without the rules themselves, of which most are here already. */
const HEADS = `
  select workspace_id "workspaceId", set_id "setId", version::text, digest, project_id "projectId"
  from engine_automations.rule_sets where ${WHERE}
  order by workspace_id, set_id collate "C"`;
const RULES = `
  select digest, rules from engine_automations.rule_sets
  where (workspace_id, set_id) in (select * from unnest($1::text[], $2::text[])) and rules is not null`;

/** Characters of JSON whose rules are kept compiled; they take a few times as much memory. */
const KEPT_LENGTH = 8_000_000;
const KEPT_BOOKS = 200;

export class RuleBooks {
  /** By digest: what a set says never changes under its own. The longest unused one stands first. */
  readonly #sets = new Map<string, { rules: Rule[]; length: number }>();
  #keptLength = 0;
  readonly #books = new Map<string, ProjectBook>();

  /** The books of all places, by {@link placeKey}; one question, and a second where a set is new. */
  async load(tx: Tx, places: readonly Place[]): Promise<Map<string, ProjectBook>> {
    const workspaces = new Set(places.flatMap(({ workspaceId }) => workspaceId ?? []));
    // The sets of a project are found by its workspace where that is known.
    const projects = new Set(
      places.flatMap(({ workspaceId, projectId }) => (workspaceId === null ? projectId : [])),
    );
    const { rows } = await tx.query<Head>(HEADS, [[...workspaces], [...projects]]);
    const rules = await this.#rulesOf(tx, rows);
    const books = new Map<string, ProjectBook>();
    for (const place of places) {
      const key = placeKey(place);
      if (!books.has(key)) books.set(key, this.#bookOf(rows.filter(countsFor(place)), rules));
    }
    return books;
  }

  async #rulesOf(tx: Tx, heads: readonly Head[]): Promise<Map<string, Rule[]>> {
    const rules = new Map<string, Rule[]>();
    const missing: Head[] = [];
    for (const head of heads) {
      const kept = this.#sets.get(head.digest);
      if (kept === undefined) {
        missing.push(head);
        continue;
      }
      this.#sets.delete(head.digest);
      this.#sets.set(head.digest, kept);
      rules.set(head.digest, kept.rules);
    }
    if (missing.length === 0) return rules;
    const { rows } = await tx.query<{ digest: string; rules: string }>(RULES, [
      missing.map(({ workspaceId }) => workspaceId),
      missing.map(({ setId }) => setId),
    ]);
    for (const { digest, rules: text } of rows) {
      const read = atOnce(readRules(JSON.parse(text), ["rules"], new Warnings()));
      const good = read.map(({ rule }) => rule);
      rules.set(digest, good);
      this.#keep(digest, good, text.length);
    }
    return rules;
  }

  #keep(digest: string, rules: Rule[], length: number): void {
    if (this.#sets.has(digest)) return;
    this.#sets.set(digest, { rules, length });
    this.#keptLength += length;
    for (const [oldest, { length: freed }] of this.#sets) {
      if (this.#keptLength <= KEPT_LENGTH) break;
      this.#sets.delete(oldest);
      this.#keptLength -= freed;
    }
  }

  #bookOf(heads: readonly Head[], rules: ReadonlyMap<string, Rule[]>): ProjectBook {
    const key = JSON.stringify(heads.map(({ setId, version, digest }) => [setId, version, digest]));
    const kept = this.#books.get(key);
    if (kept !== undefined) return kept;
    const all = heads.flatMap(({ setId, version, digest }) => {
      const origin = { setId, setVersion: Number(version) };
      return (rules.get(digest) ?? []).map((rule) => ({ rule, origin }));
    });
    const tried = all.slice(0, CEILINGS.rulesPerEvent);
    const made = {
      book: compileRules(tried.map(({ rule }) => rule)),
      origins: tried.map(({ origin }) => origin),
      left: all.length - tried.length,
    };
    // A set that was replaced between both questions is not here: its book is not to be kept.
    if (heads.every(({ digest }) => rules.has(digest))) this.#keepBook(key, made);
    return made;
  }

  #keepBook(key: string, book: ProjectBook): void {
    this.#books.set(key, book);
    const [oldest] = this.#books.keys();
    if (this.#books.size > KEPT_BOOKS && oldest !== undefined) this.#books.delete(oldest);
  }
}

export const placeKey = ({ workspaceId, projectId }: Place) =>
  JSON.stringify([workspaceId, projectId]);

const countsFor =
  ({ workspaceId, projectId }: Place) =>
  (head: Head) =>
    workspaceId === null
      ? head.projectId === projectId
      : head.workspaceId === workspaceId &&
        (head.projectId === null || head.projectId === projectId);
