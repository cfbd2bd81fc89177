/** Looks at the dead letters of one engine without taking them. */
import type { Connection } from "@tl-engine/shared/broker/connection";
import type { Publisher } from "@tl-engine/shared/broker/publish";
import type { BrokerNames } from "@tl-engine/shared/wire/names";
import { type Letter, readLetter, timeOf } from "./letter.ts";
import { REFRESH_AFTER_LOOKS, refreshed } from "./refresh.ts";
import { walkQueue } from "./walk-queue.ts";

/** Letters of one kind. */
export interface Group {
  /** What they have in common: the error code, or where a job was to go. */
  of: string;
  count: number;
  /** Epoch ms; undefined where no letter says. */
  firstMs: number | undefined;
  lastMs: number | undefined;
  /** Of one of them. */
  sampleId: string;
}

export interface Listed {
  /** As the broker counts, or as many as were seen. */
  count: number;
  /** How many were looked at: the groups are made of those. */
  seen: number;
  groups: Group[];
  /** The oldest. */
  letters: Letter[];
}

export interface ListOptions {
  engine: string;
  names: BrokerNames;
  /** Letters that are returned. */
  limit: number;
  /** Default: {@link REFRESH_AFTER_LOOKS}. */
  refreshAfterLooks?: number;
}

/** Each is a round trip: with more than this in a queue the groups are those of the oldest. */
const SEEN_AT_MOST = 5_000;

export async function listLetters(
  connection: Pick<Connection, "model">,
  publisher: Publisher,
  { engine, names, limit, refreshAfterLooks = REFRESH_AFTER_LOOKS }: ListOptions,
): Promise<Listed> {
  const queue = names.dead(engine);
  const listing = new Listing(limit);
  const count = await walkQueue(connection, queue, {
    atMost: Math.max(limit, SEEN_AT_MOST),
    visit(message) {
      const letter = readLetter(message);
      listing.add(letter, letter.code || "(no code)");
      return refreshed(message, queue, publisher, refreshAfterLooks);
    },
  });
  return listing.result(count);
}

/** Gathers what is seen. */
export class Listing {
  readonly #limit: number;
  readonly #groups = new Map<string, Group>();
  readonly #letters: Letter[] = [];
  #seen = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(letter: Letter, of: string): void {
    this.#seen++;
    if (this.#letters.length < this.#limit) this.#letters.push(letter);
    const atMs = timeOf(letter);
    const group = this.#groups.get(of);
    if (group === undefined) {
      this.#groups.set(of, { of, count: 1, firstMs: atMs, lastMs: atMs, sampleId: letter.id });
      return;
    }
    group.count++;
    group.firstMs = earlier(group.firstMs, atMs);
    group.lastMs = later(group.lastMs, atMs);
  }

  result(count: number): Listed {
    const groups = [...this.#groups.values()].sort((a, b) => b.count - a.count);
    const seen = this.#seen;
    return { count: Math.max(count, seen), seen, groups, letters: this.#letters };
  }
}

const earlier = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
const later = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
