/** The load: a seeded stream of jobs of every kind by several callers, many of them published more than once. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Caller, Sending } from "./caller.ts";
import { ODDITIES } from "./engine/odd.ts";
import type { ActionName, History, PlannedJob, StampedOf } from "./history.ts";
import type { Random } from "./random.ts";

type Special =
  | "cancelled-before"
  | "cancelled-running"
  | "conflict"
  | "late-retry"
  | "buried"
  | "may-expire"
  | "long"
  | "forged"
  | "invalid"
  | "overwrite"
  | "again";

/** Share of each kind in the load, in parts. `oom` and `blocks` come as faults. */
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
  ["cancelled-running", 1],
  ["conflict", 3],
  ["late-retry", 2],
  ["buried", 2],
  ["may-expire", 1],
  ["long", 1],
  ["forged", 1],
  ["invalid", 1],
  ["overwrite", 3],
  ["again", 5],
];
const PADDING = "x".repeat(200);
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
  const { callers, operator, history, random, runId, lanes } = options;
  const published: { job: PlannedJob; caller: Caller }[] = [];
  const byId = new Map<string, PlannedJob>();
  const weighted = MIX.flatMap(([kind, parts]) => Array<typeof kind>(parts).fill(kind));
  const open = new Set<Promise<unknown>>();
  let correlations = 0;
  let lettersRead = 0;

  const track = <Value>(work: Promise<Value>): Promise<Value> => {
    open.add(work);
    void work.finally(() => open.delete(work));
    return work;
  };

  const plan = (action: ActionName, extra: Record<string, unknown> = {}): PlannedJob => {
    const count = byId.size;
    const id = `${runId}-${count}-${random.between(0, 2 ** 31).toString(36)}-l${count % lanes}`;
    const text = `${random.between(0, 2 ** 31).toString(36)} "ñandú" \\ ${count}`;
    const input = {
      n: random.between(0, 1_000_000),
      text,
      pad: PADDING,
      ...inputOf(action, id, random),
      ...extra,
    };
    const job: PlannedJob = { id, action, input };
    // Near enough that some of them do expire, when a fault holds them up.
    if (action === "ledger" && random.chance(0.1))
      job.deadlineMs = Date.now() + random.between(50, 20_000);
    byId.set(id, job);
    return job;
  };

  /** Most ask for a reply, under a correlation id that no other message has. */
  const addressed = (caller: Caller, job: PlannedJob): Sending => ({
    ...(random.chance(0.1)
      ? {}
      : { correlationId: `${caller.name}.${++correlations}.${job.id}`.slice(0, 250) }),
    ...(random.chance(0.9) ? { replyTo: caller.replyQueue } : {}),
  });

  const sendBy = async (caller: Caller, job: PlannedJob, more: Sending = {}): Promise<void> => {
    const sending = { ...addressed(caller, job), ...more };
    // A careful publisher sends an unconfirmed job again under the same id; some publishers aren't.
    if (!(await caller.publish(job, sending)) && random.chance(0.7))
      await caller.publish(job, sending);
  };

  const send = (job: PlannedJob, copies: number, more: Sending = {}): Promise<void> => {
    const first = random.between(0, callers.length - 1);
    published.push({ job, caller: callers[first] as Caller });
    const sent = Array.from({ length: copies }, (_, copy) =>
      sendBy(callers[(first + copy) % callers.length] as Caller, job, more),
    );
    return track(Promise.all(sent).then(() => {}));
  };

  const cancel = async (job: PlannedJob, isBeforePublish: boolean) => {
    const requested = await options.cancel(job.id);
    history.append({ kind: "cancel", jobId: job.id, requested, isBeforePublish });
  };

  const again = async () => {
    if (published.length === 0) return;
    const { job, caller } = random.pick(published);
    await track(sendBy(random.chance(0.5) ? caller : random.pick(callers), job));
  };

  const special: Record<Special, () => Promise<unknown>> = {
    async "cancelled-before"() {
      const job = plan(random.pick(["ledger", "slow", "external"] as const));
      await cancel(job, true);
      await send(job, 1);
    },
    async "cancelled-running"() {
      const job = plan("slow", { durationMs: CANCELLED.durationMs });
      await send(job, 1);
      void track(sleep(CANCELLED.afterMs).then(() => cancel(job, false)));
    },
    async conflict() {
      const job = plan(random.pick(["plain", "ledger", "batch"] as const));
      delete job.deadlineMs;
      delete job.input.poison;
      const other = { ...job, input: { ...job.input, n: job.input.n + 1, text: "another input" } };
      const first = send(job, 1);
      if (random.chance(0.5)) await first;
      await Promise.all([first, track(sendBy(random.pick(callers), other))]);
    },
    // In time at first, too late when the shortest delay has passed.
    async "late-retry"() {
      const job = plan("flaky", { failures: 1 });
      job.deadlineMs = Date.now() + 950;
      await send(job, 1);
    },
    buried: () => send(plan("plain"), 1, { isBuried: true }),
    "may-expire": () => send(plan("plain"), 1, { mayExpire: true }),
    // Longer than a lease, with another copy that waits for its end.
    long: () => send(plan("slow", { durationMs: 4_000 }), 2),
    /** A death in the engine's own queue, which a delay tier would take for a cycle. */
    forged: () => send(plan("flaky", { failures: 1 }), 1, { headers: options.forgedHeaders }),
    invalid: () => send(plan("plain", { n: "not a number" }), 1),
    /** A replay of what did not fail. */
    async overwrite() {
      const done = published.filter(({ job }) => job.action === "ledger" || job.action === "plain");
      if (done.length === 0) return;
      const { job, caller } = random.pick(done);
      const { deadlineMs: _deadline, ...timeless } = job;
      const sending = { ...addressed(caller, job), generation: 1 };
      await track(operator.publish(timeless, sending));
    },
    again,
  };

  return {
    jobs: () => byId.size,
    async burst(count) {
      const sent: Promise<unknown>[] = [];
      for (let index = 0; index < count; index++) {
        const kind = random.pick(weighted);
        if (kind in special) sent.push(special[kind as Special]());
        else sent.push(send(plan(kind as ActionName), random.chance(0.2) ? 2 : 1));
      }
      await Promise.all(sent);
    },
    async one(action, input = {}, copies = 1, sending = {}) {
      const job = plan(action, input);
      await send(job, copies, sending);
      return job;
    },
    async resendUntold(told) {
      await Promise.all(
        published
          .filter(({ job }) => !told.has(job.id))
          .map(({ job, caller }) => sendBy(caller, job)),
      );
    },
    again,
    async replay() {
      const letters = history.entries.slice(lettersRead).filter(isLetter);
      lettersRead = history.entries.length;
      const replayed = letters.map(async (letter) => {
        const { id, headers, correlationId, replyTo } = letter;
        const job = byId.get(id);
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
          ...(replyTo === undefined ? {} : { replyTo }),
        });
      });
      await track(Promise.all(replayed));
    },
    async settled() {
      while (open.size > 0) await Promise.all(open);
    },
  };
}

const isLetter = (entry: { kind: string }): entry is StampedOf<"letter"> => entry.kind === "letter";

function readInput(body: string): PlannedJob["input"] | undefined {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function inputOf(action: ActionName, id: string, random: Random): Record<string, unknown> {
  const events = random.pick([0, 1, 1, 2, 3]);
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
      return { failures: random.pick([1, 1, 1, 2, 3]), events };
    case "rejects":
      return random.chance(0.5)
        ? { events }
        : {
            events,
            failures: random.pick([0, 1]),
            mendsAtMs: Date.now() + MENDED_AFTER_MS,
          };
    case "later":
      return { notBeforeMs: Date.now() + random.between(200, 2_000) };
    case "blocks":
      return { durationMs: 3_000 };
    case "odd":
      return { oddity: random.pick(ODDITIES) };
    default:
      return {};
  }
}
