/** What a fault is, and what it may lay its hands on. */
import type { ServiceProxy, Toxic } from "../../../../shared/testing/proxy.ts";
import type { Random } from "../../../show/random.ts";
import type { Caller } from "../caller.ts";
import type { Step } from "../engine/steps.ts";
import type { History } from "../history.ts";
import type { Load } from "../load.ts";
import type { Reach } from "../reach.ts";
import type { Slot } from "../supervisor.ts";

export type ServiceName = "broker" | "postgres" | "redis";

/** A service that the crash test started itself. */
export interface OwnService {
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it on the data that it left; resolves when it answers. */
  start(): Promise<void>;
}

export interface Context {
  random: Random;
  history: History;
  load: Load;
  slots: Slot[];
  /** The worker that ends what the broker drops. */
  burials: Slot;
  /** One proxy per worker and service, so that a fault can hit one worker alone. */
  proxies: Record<ServiceName, ServiceProxy[]>;
  /** Undefined where the services came from URLs in the environment. */
  own: Record<ServiceName, OwnService> | undefined;
  /** Runs rabbitmqctl against the own broker. */
  rabbitmqctl(...args: string[]): Promise<string>;
  /** Direct ways into the services, past the proxies. */
  reach: Reach;
  leaseMs: number;
  /** Declares the topology again, as an operator would. */
  declareTopology(): Promise<void>;
  /** The step that was hit least, so that all are hit equally often. */
  nextStep(): Step;
  /** Prefix of the callers' own queues. */
  callersPrefix: string;
  eventsExchange: string;
  /** Publishes what can't be read; nothing else, and nobody else does. */
  oddCaller: Caller;
  /** Publishes as a user of its own, where there is an own broker. */
  forger: Caller | undefined;
  note(detail: string): void;
}

/** Ends a fault. */
export type Heal = () => Promise<void> | void;

export interface Fault {
  kind: string;
  /** What it needs beside proxies and worker processes. */
  needs?: "own services" | "management";
  /** Two faults of a pair never touch the same thing. */
  touches: (ServiceName | "workers")[];
  /** Never one of a pair, since what it asks for can't be had while something else is broken. */
  isAlone?: boolean;
  /** How often it comes, beside the others; 0 only when KINDS names it. */
  weight: number;
  /** How long it lasts between injection and healing, milliseconds. */
  holdMs: number;
  inject(context: Context): Promise<Heal | undefined> | Heal | undefined;
}

/** Applies a toxic to one worker's way to a service, or to all workers'; returns how to end it. */
export function poison(context: Context, service: ServiceName, toxic: Toxic): Heal {
  const all = context.proxies[service];
  const hit = context.random.chance(0.5) ? all : [context.random.oneOf(all)];
  context.note(`${service}, ${hit.length === all.length ? "all workers" : "one worker"}`);
  const applied = hit.map((proxy) => proxy.apply(toxic));
  return () => {
    for (const one of applied) one.remove();
  };
}
