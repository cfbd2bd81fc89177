/** The times of one request: one timer, set anew at each phase, and never beyond the end of the whole. */
import { OutboundError } from "./errors.ts";

/** Milliseconds, each from 1. */
export interface TimeLimits {
  /** For the lookup, TCP and TLS; 5,000 by default. */
  connectTimeoutMs: number;
  /** From the request, or a redirect, to the end of the answer's headers, connecting included; 10,000 by default. */
  headersTimeoutMs: number;
  /** From the headers to the first byte of the body; 5,000 by default. */
  firstByteTimeoutMs: number;
  /** From the first byte of the body to the last, the reader's own time included; 10,000 by default. */
  lastByteTimeoutMs: number;
  /** For all of it, with redirects; 20,000 by default. */
  totalTimeoutMs: number;
}

const PHASES = {
  headers: "headersTimeoutMs",
  "first byte": "firstByteTimeoutMs",
  "last byte": "lastByteTimeoutMs",
} as const satisfies Record<string, keyof TimeLimits>;

/** Ends a request when one of its times is up, or when its caller says so. */
export class Deadlines {
  readonly #controller = new AbortController();
  readonly #limits: TimeLimits;
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: TimeLimits, caller: AbortSignal | undefined) {
    this.#limits = limits;
    this.#endsAt = performance.now() + limits.totalTimeoutMs;
    this.#caller = caller;
    if (caller?.aborted) this.#abortByCaller();
    else caller?.addEventListener("abort", this.#abortByCaller);
  }

  /** Aborted with an OutboundError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  enter(phase: keyof typeof PHASES): void {
    clearTimeout(this.#timer);
    const leftMs = Math.max(0, this.#endsAt - performance.now());
    const phaseMs = this.#limits[PHASES[phase]];
    const message =
      phaseMs <= leftMs
        ? `the answer's ${phase === "headers" ? "headers are" : `${phase} is`} not there after ${phaseMs} ms`
        : `the request is not done after ${this.#limits.totalTimeoutMs} ms`;
    this.#timer = setTimeout(
      () => this.end(new OutboundError("timed_out", message)),
      Math.min(phaseMs, leftMs),
    );
  }

  /** Ends the request with an error, unless it has ended. */
  end(error: OutboundError): void {
    this.stop();
    this.#controller.abort(error);
  }

  /** No time and no caller ends it any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#abortByCaller);
  }

  #abortByCaller = (): void =>
    this.end(
      new OutboundError("aborted", "the request was aborted", { cause: this.#caller?.reason }),
    );
}
