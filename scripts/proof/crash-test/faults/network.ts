/** Faults of the network between the workers and each service, and duplicates. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Toxic } from "../../../../shared/testing/proxy.ts";
import { type Fault, poison, type ServiceName } from "./fault.ts";

const SERVICES: ServiceName[] = ["broker", "postgres", "redis"];

function toxicFault(name: string, service: ServiceName, holdMs: number, toxic: Toxic): Fault {
  return {
    kind: `${service}-${name}`,
    touches: [service],
    weight: 1,
    holdMs,
    inject: (context) => poison(context, service, toxic),
  };
}

const CUTS = 12;
const CUT_PATIENCE_MS = 400;

/** Cuts the connections on which a worker sends `needle`, the next time that each does, a few times over. */
function cutFault(kind: string, needle: string, lose: "request" | "response"): Fault {
  return {
    kind,
    touches: ["postgres"],
    weight: 2,
    holdMs: 500,
    async inject(context) {
      for (let cut = 0; cut < CUTS; cut++) {
        const applied = context.proxies.postgres.map((proxy) =>
          proxy.apply({ kind: "cutWhen", needle, lose }),
        );
        void context.load.burst(10);
        for (let count = 0; count < 12; count++) void context.load.one("ledger");
        await Promise.race([
          Promise.all(applied.map(({ fired }) => fired)),
          sleep(CUT_PATIENCE_MS),
        ]);
        for (const one of applied) one.remove();
      }
      return undefined;
    },
  };
}

export function networkFaults(): Fault[] {
  return [
    ...SERVICES.flatMap((service) => [
      toxicFault("partitioned", service, 4_000, { kind: "blackHole" }),
      toxicFault("slow", service, 4_000, { kind: "latency", delayMs: 1_000 }),
      toxicFault("half-open", service, 5_000, { kind: "halfOpen" }),
      toxicFault("refusing", service, 1_500, { kind: "refuse" }),
      toxicFault("sliced", service, 1_500, { kind: "slice", maxBytes: 3 }),
      toxicFault("cut-midway", service, 500, { kind: "cutAfter", bytes: 1_500, direction: "down" }),
    ]),
    toxicFault("confirms-lost", "broker", 1_500, { kind: "muteConfirms" }),
    cutFault("commit-answer-lost", "COMMIT", "response"),
    cutFault("commit-lost", "COMMIT", "request"),
    // The statement's name, since a prepared one sends its text but once on each connection.
    cutFault("insert-answer-lost", "engine-insert-", "response"),
    {
      kind: "duplicates",
      touches: [],
      weight: 2,
      holdMs: 0,
      async inject({ load }) {
        await Promise.all([
          load.one("ledger", {}, 100),
          load.one("plain", {}, 50),
          ...Array.from({ length: 30 }, () => load.again()),
        ]);
        return undefined;
      },
    },
  ];
}
