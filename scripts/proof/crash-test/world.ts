/** A small world for the settling logic: the product's own code between a model of the broker and one of the fence. */
import { setImmediate as turn } from "node:timers/promises";
import type { ConsumeMessage } from "amqplib";
import type { Redis } from "ioredis";
import type pg from "pg";
import { z } from "zod";
import type { Acks } from "../../../shared/broker/acks.ts";
import type { Delivery } from "../../../shared/broker/consume.ts";
import type { Publisher } from "../../../shared/broker/publish.ts";
import type { Outgoing } from "../../../shared/broker/publish-frames.ts";
import { action, defineWorker } from "../../../shared/engine/define-worker.ts";
import { type Claims, createClaims } from "../../../shared/job/claim.ts";
import type { Commits } from "../../../shared/job/commit.ts";
import { Gate } from "../../../shared/job/gate.ts";
import type { Life } from "../../../shared/job/life.ts";
import { LiveJobs } from "../../../shared/job/live-jobs.ts";
import { createReception, receive } from "../../../shared/job/receive.ts";
import type { ResultRow } from "../../../shared/job/result-rows.ts";
import type { Connections } from "../../../shared/job/transaction.ts";
import { assembleLife } from "../../../shared/parts.ts";
import { createLog } from "../../../shared/process/log.ts";
import type { Metrics } from "../../../shared/process/metrics.ts";
import { readRecord, writeRecord } from "../../../shared/wire/claim-record.ts";
import { brokerNames, redisKeys } from "../../../shared/wire/names.ts";

const WORKERS = 2;
const CONCURRENCY = 2;
/** Leases run out when the world says so, never by the clock. */
const LEASE_MS = 3_600_000;
const MAX_STEPS = 2_000;
/** How much may go wrong; as many attempts as the model beside the design has. */
const LIMITS = { crashes: 2, expiries: 2, flushes: 1, outages: 2, failures: 3 };
const MAX_ATTEMPTS = 2;

const log = createLog({}, "silent");
const names = brokerNames("model");
/** Of the worker: what it sends over a tier is believed, and is still nobody's job. */
const USER = "model.model";
const metrics = new Proxy({} as Metrics, { get: () => () => {} });

interface Step {
  label: string;
  worker: Process;
  run(): Promise<void>;
}

interface Process {
  name: string;
  isDead: boolean;
  life: Life;
  unacked: Set<ConsumeMessage>;
}

export class World {
  row: ResultRow | undefined;
  effects = 0;
  replies: string[] = [];
  deadLetters = 0;
  /** What happened, in order, for the report of a counterexample. */
  readonly story: string[] = [];
  readonly happened = { crashes: 0, expiries: 0, flushes: 0, outages: 0, failures: 0 };
  /** Whether Redis is out of reach; then the runtime goes on without it. */
  #isRedisAway = false;
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #id: string;
  readonly #choices: number[];
  #queue: ConsumeMessage[] = [];
  #tiers: ConsumeMessage[] = [];
  #steps: Step[] = [];
  #workers: Process[];
  readonly #holders = new Map<string, Process>();
  #processes = 0;

  constructor(redis: Redis, prefix: string, id: string, choices: readonly number[]) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#id = id;
    this.#choices = [...choices];
    this.#workers = Array.from({ length: WORKERS }, () => this.#start());
    for (let copy = 0; copy < 2; copy++) this.#queue.push(firstCopy(id));
  }

  /** Lets things happen until nothing is left to happen. */
  async play(): Promise<void> {
    for (let steps = 0; ; steps++) {
      if (steps > MAX_STEPS) throw new Error(`it never ends:\n${this.story.slice(-60).join("\n")}`);
      const choice = this.#choices.shift();
      const possible = this.#possible(choice !== undefined);
      if (possible.length === 0) return;
      // Once the choices are used up, the oldest possibility goes first, so that it comes to an end.
      const next = possible[(choice ?? 0) % possible.length] as { label: string; run(): unknown };
      if (choice === undefined) this.#isRedisAway = false;
      if (choice === undefined) await this.#expireAbandoned();
      this.story.push(next.label);
      await next.run();
      await turn();
    }
  }

  #possible(mayFail: boolean): { label: string; run(): unknown }[] {
    const possible: { label: string; run(): unknown }[] = this.#steps.map((step) => ({
      label: `${step.worker.name} ${step.label}`,
      run: async () => {
        this.#steps.splice(this.#steps.indexOf(step), 1);
        await step.run();
      },
    }));
    for (const worker of this.#workers) {
      if (this.#queue.length > 0 && worker.unacked.size < CONCURRENCY)
        possible.push({
          label: `${worker.name} takes a delivery`,
          run: () => this.#deliver(worker),
        });
      const busy = worker.unacked.size > 0;
      if (mayFail && busy && this.happened.crashes < LIMITS.crashes)
        possible.push({ label: `${worker.name} CRASHES`, run: () => this.#crash(worker) });
    }
    if (this.#tiers.length > 0)
      possible.push({ label: "a tier gives back", run: () => this.#giveBack() });
    if (mayFail && this.happened.expiries < LIMITS.expiries)
      possible.push({ label: "the LEASE runs out", run: () => this.#expire() });
    if (mayFail && this.happened.flushes < LIMITS.flushes)
      possible.push({ label: "Redis is FLUSHED", run: () => this.#flush() });
    if (this.#isRedisAway)
      possible.push({ label: "Redis is BACK", run: () => this.#setRedisAway(false) });
    else if (mayFail && this.happened.outages < LIMITS.outages)
      possible.push({ label: "Redis is AWAY", run: () => this.#setRedisAway(true) });
    return possible;
  }

  #setRedisAway(isAway: boolean): void {
    if (isAway) this.happened.outages++;
    this.#isRedisAway = isAway;
  }

  get #key(): string {
    return redisKeys.claim(this.#prefix, "model", undefined, this.#id);
  }

  #deliver(worker: Process): void {
    const message = this.#queue.shift() as ConsumeMessage;
    worker.unacked.add(message);
    const acks = {
      ack: () => worker.unacked.delete(message),
      handBack: () => {
        if (worker.unacked.delete(message)) this.#queue.push(redelivered(message));
      },
    } as unknown as Acks;
    void worker.life({ message, acks, lane: "interactive" });
  }

  #crash(worker: Process): void {
    this.happened.crashes++;
    worker.isDead = true;
    this.#steps = this.#steps.filter((step) => step.worker !== worker);
    this.#queue.unshift(...[...worker.unacked].map(redelivered));
    this.#workers[this.#workers.indexOf(worker)] = this.#start();
  }

  #giveBack(): void {
    this.#queue.push(this.#tiers.shift() as ConsumeMessage);
  }

  async #expire(): Promise<void> {
    if (await this.#endLease(() => true)) this.happened.expiries++;
  }

  /** What time does to a lease that nobody renews. */
  async #expireAbandoned(): Promise<void> {
    await this.#endLease((token) => this.#holders.get(token)?.isDead !== false);
  }

  async #endLease(mayEnd: (token: string) => boolean): Promise<boolean> {
    const record = readRecord(await this.#redis.get(this.#key));
    if (record?.token === undefined || !mayEnd(record.token)) return false;
    await this.#redis.set(this.#key, writeRecord({ ...record, leaseEndMs: 0 }), "KEEPTTL");
    return true;
  }

  async #flush(): Promise<void> {
    this.happened.flushes++;
    await this.#redis.del(this.#key);
  }

  /** Makes a call to the outside a step: it happens when it is chosen, and never if its worker dies first. */
  #asStep<Value>(
    worker: Process,
    label: string,
    happen: () => Promise<Value> | Value,
  ): Promise<Value> {
    if (worker.isDead) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.#steps.push({
        label,
        worker,
        run: async () => {
          try {
            resolve(await happen());
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }

  #start(): Process {
    const worker = {
      name: `w${++this.#processes}`,
      isDead: false,
      unacked: new Set(),
    } as unknown as Process;
    const publisher = this.#publisherOf(worker);
    const claims = this.#claimsOf(worker);
    const signal = new AbortController().signal;
    const reception = createReception({
      definition: this.#definition,
      names,
      replyToAllow: "*.replies",
      maxAgeMs: Number.MAX_SAFE_INTEGER,
      runtimeUsers: [USER],
      isPublisherRequired: false,
    });
    const parts = {
      receive: (delivery: Delivery) => receive(delivery, reception, Date.now()),
      claims,
      commits: this.#commitsOf(worker),
      connections: this.#connectionsOf(worker),
      publisher,
    };
    worker.life = assembleLife(parts, {
      definition: this.#definition,
      config: { ENGINE_PREFIX: names.prefix, RETRY_BUDGET: 1, REPLY_EXCHANGE: "", own: {} },
      log,
      metrics,
      live: new LiveJobs(),
      gate: new Gate(),
      redis: this.#redis,
      draining: () => false,
      signal,
    });
    return worker;
  }

  /** Its own writes stand for the effect; whether a run fails is the world's choice. */
  readonly #definition = defineWorker({
    name: "model",
    concurrency: CONCURRENCY,
    timeoutMs: 1_000,
    maxAttempts: MAX_ATTEMPTS,
    actions: {
      run: action({
        version: 1,
        input: z.object({}),
        output: z.object({ attempt: z.int() }),
        handle: async (_input, job) => {
          await (await job.tx()).query("effect");
          const wants = (this.#choices[0] ?? 1) % 3 === 0;
          if (wants && this.happened.failures < LIMITS.failures) {
            this.happened.failures++;
            this.story.push("  the handler FAILS");
            throw new Error("as chosen");
          }
          return { attempt: job.attempt };
        },
      }),
    },
  });

  #claimsOf(worker: Process): Claims {
    const claims = createClaims({
      redis: this.#redis,
      prefix: this.#prefix,
      leaseMs: LEASE_MS,
      ttlMs: LEASE_MS,
      onSkipped(_jobs, error) {
        throw error ?? new Error("Redis was left out");
      },
    });
    return {
      ...claims,
      claim: (job, ...how) =>
        this.#asStep(worker, `claims attempt ${job.attempt}`, async () => {
          if (this.#isRedisAway) return { kind: "run", token: undefined, crashes: job.crashes };
          const claim = await claims.claim(job, ...how);
          this.story.push(`  → ${claim.kind}`);
          if (claim.kind === "run" && claim.token) this.#holders.set(claim.token, worker);
          return claim;
        }),
      unclaim: (what, job, token, attempt, next) =>
        this.#asStep(worker, `unclaims: ${what}`, async () => {
          // Whoever is through renews its lease no more, whether Redis heard of it or not.
          if (token !== undefined) this.#holders.delete(token);
          if (!this.#isRedisAway) await claims.unclaim(what, job, token, attempt, next);
        }),
    };
  }

  #publisherOf(worker: Process): Publisher {
    return {
      publish: (outgoing) =>
        this.#asStep(worker, `publishes to ${outgoing.exchange || outgoing.routingKey}`, () => {
          if (outgoing.exchange.includes(".delay.")) this.#tiers.push(messageOf(outgoing));
          else if (outgoing.routingKey === names.dead("model")) this.deadLetters++;
          else this.replies.push(outgoing.body.toString());
          return "routed" as const;
        }),
      ready: () => true,
      close: async () => {},
    };
  }

  #connectionsOf(worker: Process): Connections {
    return {
      begin: () =>
        this.#asStep(worker, "begins", () => ({
          tx: { query: (async () => ({})) as unknown as pg.PoolClient["query"] },
          lost: () => false,
          release() {},
        })),
      query: () => Promise.reject(new Error("the model's handler reads nothing")),
    };
  }

  #commitsOf(worker: Process): Commits {
    return {
      commit: (row) =>
        this.#asStep(worker, `commits ${row.status}`, () => {
          if (this.row) return { kind: "before", row: this.row };
          this.row = row;
          return { kind: "first", row };
        }),
      commitIn: (_client, [row]) =>
        this.#asStep(worker, "commits with its own writes", () => {
          if (this.row)
            return { kind: "conflict", stored: new Map([[`model/${this.#id}`, this.row]]) };
          this.row = row;
          this.effects++;
          return { kind: "committed" };
        }),
      read: () => this.#asStep(worker, "reads the row", () => this.row),
      struggle: () => {
        throw new Error("the model's Postgres is never away");
      },
      stop() {},
    };
  }
}

const fieldsOf = (isRedelivered: boolean) =>
  ({ deliveryTag: 1, redelivered: isRedelivered }) as ConsumeMessage["fields"];

function firstCopy(id: string): ConsumeMessage {
  return {
    content: Buffer.from("{}"),
    fields: fieldsOf(false),
    properties: {
      messageId: id,
      type: "model.run.v1",
      contentType: "application/json",
      replyTo: "caller.replies",
      headers: {},
    },
  } as unknown as ConsumeMessage;
}

const redelivered = (message: ConsumeMessage): ConsumeMessage => ({
  ...message,
  fields: fieldsOf(true),
});

function messageOf({ body, messageId, type, replyTo, headers, contentType }: Outgoing) {
  const properties = { messageId, type, replyTo, headers, contentType, userId: USER };
  const content = typeof body === "string" ? Buffer.from(body) : body;
  return { content, fields: fieldsOf(false), properties } as unknown as ConsumeMessage;
}
