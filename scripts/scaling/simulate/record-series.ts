/** Keeps an engine's figures over time, thinned to what a picture can show. */
import type { EngineInTime } from "./engine-in-time.ts";
import type { Series } from "./result.ts";
import { STEP_S } from "./running-jobs.ts";

/** Bins of a series, at least; fewer only where there are fewer steps. */
const BINS = 240;

export class Recorder {
  readonly series: Series;
  readonly #engine: EngineInTime;
  readonly #stepsABin: number;
  #arrived = 0;
  #doneBefore = 0;
  #startedBefore = 0;
  #waiting = 0;

  constructor(engine: EngineInTime, durationS: number) {
    this.#engine = engine;
    this.#stepsABin = Math.max(1, Math.floor(durationS / STEP_S / BINS));
    this.series = {
      binS: this.#stepsABin * STEP_S,
      arrivedPerS: [],
      donePerS: [],
      waiting: [],
      starts: [],
      ready: [],
      draining: [],
      wanted: [],
      p95WaitS: [],
    };
  }

  /** After each step. */
  record(step: number, arrivals: number): void {
    const engine = this.#engine;
    this.#arrived += arrivals;
    this.#waiting = Math.max(this.#waiting, engine.waiting);
    if ((step + 1) % this.#stepsABin !== 0) return;
    const { series } = this;
    series.arrivedPerS.push(this.#arrived / series.binS);
    series.donePerS.push((engine.done - this.#doneBefore) / series.binS);
    series.waiting.push(this.#waiting);
    series.starts.push(engine.pods.started - this.#startedBefore);
    series.ready.push(engine.pods.ready);
    series.draining.push(engine.pods.draining);
    series.wanted.push(engine.replicas);
    series.p95WaitS.push(engine.recentWaits.percentileS(95));
    engine.recentWaits.clear();
    this.#arrived = 0;
    this.#waiting = 0;
    this.#doneBefore = engine.done;
    this.#startedBefore = engine.pods.started;
  }
}
