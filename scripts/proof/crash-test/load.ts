/** The load: a seeded stream of jobs of every kind by several callers, many of them published more than once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../show/random.ts";
import { type Answered, type Asked, hearAnswers } from "./answers.ts";
import type { Caller, Sending } from "./caller.ts";
import { ODDITIES } from "./engine/odd.ts";
import type { ActionName, History, PlannedJob, StampedOf } from "./history.ts";
import { BROKEN } from "./raw-publish.ts";

type Special =
  | "cancelled-before"
  | "cancelled-running"
  | "conflict"
  | "late-retry"
  | "buried"
  | "untried"
  | "may-expire"
  | "long"
  | "forged"
  | "invalid"
  | "overwrite"
  | "again";

/** Share of each kind in the load, in parts. `oom`, `blocks` and `heavy` come as faults. */
const MIX: [ActionName | Special, number][] = [
  ["plain", 26],
  ["ledger", 20],
  ["batch", 14],
  ["external", 6],
  ["slow", 5],
  ["flaky", 4],
  ["rejects", 4],
  ["later", 2],
  ["cancelled-before", 2],
  ["cancelled-running", 3],
  ["conflict", 3],
  ["late-retry", 2],
  ["buried", 2],
  ["untried", 1],
  ["may-expire", 1],
  ["long", 2],
  ["forged", 1],
  ["invalid", 1],
  ["overwrite", 3],
  ["again", 5],
];
const PADDING = "x".repeat(200);
const BULK_SHARE = 1 / 3;
/** A cancellation of a job that runs comes when it has run for a while, and long before its end. */
const CANCELLED = { afterMs: 800, durationMs: 5_000 };
const MENDED_AFTER_MS = 1_500;
/** Codes of failures that an operator tries again. */
const REPLAYED = new Set(["rejected", "attempts_exhausted"]);

export interface LoadOptions {
  callers: Caller[];
  /** Replays dead letters. */
  operator: Caller;
  cancel(jobId: string): Promise<boolean>;
  history: History;
  random: Random;
  runId: string;
  /** Of a message that a delay tier takes for one that goes round in circles. */
  forgedHeaders: Record<string, unknown>;
  /** Every job belongs to one of so many lanes, by the end of its id; a planted bug can keep to one. */
  lanes: number;
}

/** A job that its caller alone sends, once. */
export interface Single {
  action: ActionName;
  input?: Record<string, unknown>;
  /** Default: any of the ordinary ones. */
  caller?: Caller;
  /** What else is said of the job. */
  job?: Pick<PlannedJob, "isBulk" | "withinMs">;
  sending?: Sending;
}

export interface Load {
  /** Different jobs that were published so far. */
  jobs(): number;
  /** Publishes `count` new jobs, some twice; resolves when all publishes have settled. */
  burst(count: number): Promise<void>;
  /** Publishes one new job, `copies` times at once, by different callers. */
  one(
    action: ActionName,
    input?: Record<string, unknown>,
    copies?: number,
    sending?: Sending,
  ): Promise<PlannedJob>;
  /** Publishes one new job that asks for its reply; resolves when the publish has settled. */
  single(single: Single): Promise<Asked>;
  answered: Answered;
  /** Publishes every job again that is not in `told`, as a careful publisher does after a loss. */
  resendUntold(told: ReadonlySet<string>): Promise<void>;
  /** Publishes a job of the past again, for its caller or another one. */
  again(): Promise<void>;
  /** Replays about half of the dead letters that came since. */
  replay(): Promise<void>;
  /** Resolves when all that was begun has settled. */
  settled(): Promise<void>;
}

export function makeLoad(options: LoadOptions): Load {
  return new MixedLoad(options);
}

class MixedLoad implements Load {
  readonly #options: LoadOptions;
  readonly answered: Answered;
  readonly #published: { job: PlannedJob; caller: Caller }[] = [];
  readonly #byId = new Map<string, PlannedJob>();
  readonly #weighted = MIX.flatMap(([kind, parts]) => Array<typeof kind>(parts).fill(kind));
  readonly #open = new Set<Promise<unknown>>();
  readonly #special = this.#specials();
  /** Where nobody listens. */
  readonly #deaf = new Set<string>();
  #correlations = 0;
  #lettersRead = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.answered = hearAnswers(options.history);
  }

  #track<Value>(work: Promise<Value>): Promise<Value> {
    this.#open.add(work);
    void work.finally(() => this.#open.delete(work));
    return work;
  }

  #plan(action: ActionName, extra: Record<string, unknown> = {}): PlannedJob {
    const { random, runId, lanes } = this.#options;
    const count = this.#byId.size;
    const id = `${runId}-${count}-${random.between(0, 2 ** 31).toString(36)}-l${count % lanes}`;
    const text = `${random.between(0, 2 ** 31).toString(36)} "ñandú" \\ ${count}`;
    const input = {
      n: random.between(0, 1_000_000),
      text,
      pad: PADDING,
      ...inputOf(action, id, random),
      ...extra,
    };
    const job: PlannedJob = { id, action, input, isBulk: random.chance(BULK_SHARE) };
    // Near enough that some of them do expire, when a fault holds them up.
    if (action === "ledger" && random.chance(0.1))
      job.deadlineMs = Date.now() + random.between(50, 20_000);
    this.#byId.set(id, job);
    return job;
  }

  /** Most ask for a reply, under a correlation id that no other message has. */
  #addressed(caller: Caller, job: PlannedJob): Sending {
    const { random } = this.#options;
    return {
      ...(random.chance(0.1)
        ? {}
        : { correlationId: `${caller.name}.${++this.#correlations}.${job.id}`.slice(0, 250) }),
      ...(random.chance(0.9) ? { replyTo: caller.replyQueue } : {}),
    };
  }

  async #sendBy(caller: Caller, job: PlannedJob, more: Sending = {}): Promise<void> {
    const { random } = this.#options;
    const sending = { ...this.#addressed(caller, job), ...more };
    if (sending.isDeaf && sending.replyTo !== undefined) this.#deaf.add(sending.replyTo);
    // A careful publisher sends an unconfirmed job again under the same id; some publishers aren't.
    if (!(await caller.publish(job, sending)) && random.chance(0.7))
      await caller.publish(job, sending);
  }

  #send(job: PlannedJob, copies: number, more: Sending = {}): Promise<void> {
    const { callers, random } = this.#options;
    const first = random.between(0, callers.length - 1);
    this.#published.push({ job, caller: callers[first] as Caller });
    const sent = Array.from({ length: copies }, (_, copy) =>
      this.#sendBy(callers[(first + copy) % callers.length] as Caller, job, more),
    );
    return this.#track(Promise.all(sent).then(() => {}));
  }

  async #cancel(job: PlannedJob, isBeforePublish: boolean) {
    const { history } = this.#options;
    const requested = await this.#options.cancel(job.id);
    history.append({ kind: "cancel", jobId: job.id, requested, isBeforePublish });
  }

  async again(): Promise<void> {
    const { callers, random } = this.#options;
    if (this.#published.length === 0) return;
    const { job, caller } = random.oneOf(this.#published);
    await this.#track(this.#sendBy(random.chance(0.5) ? caller : random.oneOf(callers), job));
  }

  #specials(): Record<Special, () => Promise<unknown>> {
    return {
      "cancelled-before": async () => {
        const job = this.#plan(this.#options.random.oneOf(["ledger", "slow", "external"] as const));
        await this.#cancel(job, true);
        await this.#send(job, 1);
      },
      "cancelled-running": async () => {
        const job = this.#plan("slow", { durationMs: CANCELLED.durationMs });
        await this.#send(job, 1);
        void this.#track(sleep(CANCELLED.afterMs).then(() => this.#cancel(job, false)));
      },
      conflict: async () => {
        const job = this.#plan(this.#options.random.oneOf(["plain", "ledger", "batch"] as const));
        delete job.deadlineMs;
        delete job.input.poison;
        const other = {
          ...job,
          input: { ...job.input, n: job.input.n + 1, text: "another input" },
        };
        const first = this.#send(job, 1);
        if (this.#options.random.chance(0.5)) await first;
        await Promise.all([
          first,
          this.#track(this.#sendBy(this.#options.random.oneOf(this.#options.callers), other)),
        ]);
      },
      // In time at first, too late when the shortest delay has passed.
      "late-retry": async () => {
        const job = this.#plan("flaky", { failures: 1 });
        job.deadlineMs = Date.now() + 950;
        await this.#send(job, 1);
      },
      buried: () => this.#send(this.#plan("plain"), 1, { burial: "expired" }),
      // The broker counted deliveries with which the job itself had nothing to do.
      untried: () => this.#send(this.#plan("plain"), 1, { burial: "delivery_limit" }),
      "may-expire": () => this.#send(this.#plan("plain"), 1, { mayExpire: true }),
      // Longer than a lease, with another copy that waits for its end.
      long: () => this.#send(this.#plan("slow", { durationMs: 4_000 }), 2),
      /** A death in the engine's own queue, which a delay tier would take for a cycle. */
      forged: () =>
        this.#send(this.#plan("flaky", { failures: 1 }), 1, {
          headers: this.#options.forgedHeaders,
        }),
      invalid: () => this.#send(this.#plan("plain", { n: "not a number" }), 1),
      /** A replay of what did not fail. */
      overwrite: async () => {
        const done = this.#published.filter(
          ({ job }) => job.action === "ledger" || job.action === "plain",
        );
        if (done.length === 0) return;
        const { job, caller } = this.#options.random.oneOf(done);
        const { deadlineMs: _deadline, ...timeless } = job;
        const sending = { ...this.#addressed(caller, job), generation: 1 };
        await this.#track(this.#options.operator.publish(timeless, sending));
      },
      again: () => this.again(),
    };
  }

  jobs(): number {
    return this.#byId.size;
  }

  async burst(count: number): Promise<void> {
    const { random } = this.#options;
    const sent: Promise<unknown>[] = [];
    for (let index = 0; index < count; index++) {
      const kind = random.oneOf(this.#weighted);
      if (kind in this.#special) sent.push(this.#special[kind as Special]());
      else sent.push(this.#send(this.#plan(kind as ActionName), random.chance(0.2) ? 2 : 1));
    }
    await Promise.all(sent);
  }

  async one(
    action: ActionName,
    input: Record<string, unknown> = {},
    copies = 1,
    sending: Sending = {},
  ): Promise<PlannedJob> {
    const job = this.#plan(action, input);
    await this.#send(job, copies, sending);
    return job;
  }

  async single({ action, input, caller, job: more, sending }: Single): Promise<Asked> {
    const { callers, random } = this.#options;
    const by = caller ?? random.oneOf(callers);
    const job: PlannedJob = { ...this.#plan(action, input), ...more };
    delete job.deadlineMs;
    // Not among the published, so that nobody sends it again.
    if (sending?.oddity === "message-id") job.id = `${BROKEN.repeat(3)}${job.id}`;
    const end = sending?.oddity === "correlation-id" ? BROKEN.repeat(90) : "";
    const correlationId = `${by.name}.${++this.#correlations}.${job.id}${end}`;
    const replyTo = UNANSWERED.has(sending?.oddity) ? {} : { replyTo: by.replyQueue };
    await this.#track(by.publish(job, { correlationId, ...replyTo, ...sending }));
    return { correlationId };
  }

  async resendUntold(told: ReadonlySet<string>): Promise<void> {
    await Promise.all(
      this.#published
        .filter(({ job }) => !told.has(job.id))
        .map(({ job, caller }) => this.#sendBy(caller, job)),
    );
  }

  async replay(): Promise<void> {
    const { operator, history, random } = this.#options;
    const letters = history.entries.slice(this.#lettersRead).filter(isLetter);
    this.#lettersRead = history.entries.length;
    const replayed = letters.map(async (letter) => {
      const { id, headers, correlationId, replyTo } = letter;
      const job = this.#byId.get(id);
      if (!job || !REPLAYED.has(String(headers["x-error-code"])) || random.chance(0.5)) return;
      const input = readInput(letter.body);
      // An operator can't replay what the letter does not say; the checker does the rest.
      if (input === undefined) return;
      const mendsAtMs = Number(job.input.mendsAtMs ?? 0);
      await sleep(Math.max(0, mendsAtMs + 200 - Date.now()));
      // The letter's own words; it has no deadline any more.
      const { deadlineMs: _deadline, ...timeless } = { ...job, input };
      await operator.publish(timeless, {
        generation: Number(headers["x-replay"] ?? 0) + 1,
        ...(correlationId === undefined ? {} : { correlationId }),
        ...(replyTo === undefined ? {} : { replyTo, isDeaf: this.#deaf.has(replyTo) }),
      });
    });
    await this.#track(Promise.all(replayed));
  }

  async settled(): Promise<void> {
    while (this.#open.size > 0) await Promise.all([...this.#open]);
  }
}

/** Messages that say nothing of where a reply could go, or of which job they are. */
const UNANSWERED = new Set<Sending["oddity"]>(["reply-to", "type", "message-id"]);

const isLetter = (entry: { kind: string }): entry is StampedOf<"letter"> => entry.kind === "letter";

function readInput(body: string): PlannedJob["input"] | undefined {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function inputOf(action: ActionName, id: string, random: Random): Record<string, unknown> {
  const events = random.oneOf([0, 1, 1, 2, 3]);
  switch (action) {
    case "plain":
      return { events };
    case "ledger":
      return random.chance(0.1) ? { chain: true, events: Math.max(1, events) } : { events };
    case "batch":
      return random.chance(0.02) ? { poison: true, events } : { events };
    case "external":
      return { nonce: id };
    case "slow":
      return { durationMs: random.between(100, 1_500) };
    case "flaky":
      return { failures: random.oneOf([1, 1, 1, 2, 3]), events };
    case "rejects":
      return random.chance(0.5)
        ? { events }
        : {
            events,
            failures: random.oneOf([0, 1, 1]),
            mendsAtMs: Date.now() + MENDED_AFTER_MS,
          };
    case "later":
      return { notBeforeMs: Date.now() + random.between(200, 2_000) };
    case "blocks":
      return { durationMs: 3_000 };
    case "heavy":
      return { durationMs: 300, padBytes: 3_000_000 };
    case "odd":
      return { oddity: random.oneOf(ODDITIES) };
    default:
      return {};
  }
}
