/** Collects warnings of a job up to their ceiling, and counts them all. */
import { CEILINGS, type Warning } from "./schemas/vocabulary.ts";

export class Warnings {
  readonly listed: Warning[] = [];
  total = 0;

  /** @param first such as the job's unknown keys. */
  constructor(first: readonly Warning[] = []) {
    for (const warning of first) this.add(warning);
  }

  add(warning: Warning): void {
    this.total++;
    if (this.listed.length < CEILINGS.warningsListed) this.listed.push(warning);
  }
}
