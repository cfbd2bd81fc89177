/** Collects warnings of a job up to their ceiling, and counts them all. */
import { type Path, pathText } from "./rules/problem.ts";
import { CEILINGS, type Warning } from "./schemas/vocabulary.ts";

/** A warning whose path is still in its parts. */
export interface Doubt {
  code: string;
  path: Path;
  message: string;
}

export class Warnings {
  readonly doubts: Doubt[] = [];
  readonly #first: readonly Warning[];
  total: number;

  /** @param first such as the job's unknown keys. */
  constructor(first: readonly Warning[] = []) {
    this.#first = first;
    this.total = first.length;
  }

  add(code: string, path: Path, message: string): void {
    this.total++;
    if (this.doubts.length < CEILINGS.warningsListed) this.doubts.push({ code, path, message });
  }

  /** The first of them, as outputs tell them. */
  get listed(): Warning[] {
    const told = this.doubts.map(({ path, ...doubt }) => ({ ...doubt, path: pathText(path) }));
    return [...this.#first, ...told].slice(0, CEILINGS.warningsListed);
  }
}
