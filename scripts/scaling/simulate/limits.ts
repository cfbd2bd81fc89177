/** Which service becomes the limit at how many jobs a day: what a job uses of it, and how much of it there is. */
import type { Prices } from "../../kubernetes/read/prices.ts";
import { HOUR_SHARES, WEEKDAY_PEAK } from "./loads.ts";
import type { SimulatedEngine } from "./simulated-engine.ts";

export interface Limit {
  /** What is used up, in Spanish, for the handbook. */
  what: string;
  /** How the figure comes about, in Spanish. */
  because: string;
  /** Jobs on a mean day at which it is reached. */
  jobsPerDay: number;
  /** `money`: it goes on, for more than the budget. `wall`: it does not. */
  kind: "money" | "wall";
  /** What to do then, in Spanish. */
  remedy: string;
}

const DAYS_A_MONTH = 730 / 24;

/** Measured: 100,000 claims of jobs that are done, with UUIDs as ids, take 19.6 MB of Redis. */
const CLAIM_BYTES = 196;
/** The free plan's, https://upstash.com/docs/redis/overall/billing, November 2026. */
const FREE_REDIS_BYTES = 256e6;
/** 104 at 0.25 CU, 7 of them reserved: https://neon.com/docs/connect/connection-pooling, November 2026. */
const DIRECT_CONNECTIONS = 97;
/** docs/meta/rendimiento.md, two shared cores for the services and the worker. */
const BROKER_JOBS_PER_S = 12_413;
/** RETENTION_DAYS. */
export const RETENTION_DAYS = 30;
/** CLAIM_TTL_S, in hours. */
const CLAIM_HOURS = 6;
/** The owner's budget for all services, at the most. */
const SERVICES_USD = 74;
/** The owner's quota of pods. */
const MOST_PODS = 50;
/** What a worker opens at most; one that writes in batches opens one more. */
const DIRECT_PODS = Math.floor(DIRECT_CONNECTIONS / 2);

/** Jobs per second in the busiest hour of the busiest weekday, for each job of a mean day. */
export const PEAK_PER_S = (WEEKDAY_PEAK * Math.max(...HOUR_SHARES)) / 3_600;

/** Share of a mean day's jobs in the busiest hours, so many in a row. */
function busiest(hours: number): number {
  const sums = HOUR_SHARES.map((_, from) => {
    let sum = 0;
    for (let hour = from; hour < from + hours; hour++) sum += HOUR_SHARES[hour % 24] as number;
    return sum;
  });
  return WEEKDAY_PEAK * Math.max(...sums);
}

const es = (value: number) => value.toLocaleString("es-ES", { useGrouping: "always" });
const usd = (value: number) =>
  `$${value.toLocaleString("es-ES", { minimumFractionDigits: Number.isInteger(value) ? 0 : 2 })}`;

/** What Upstash gives for nothing, and asks for each command. */
export function redisPlans({ redis: { plans } }: Prices) {
  return {
    free: { commandsPerMonth: plans.free?.commandsPerMonth ?? 0 },
    payg: {
      usdPer100kCommands: plans.payg?.usdPer100kCommands ?? 0,
      commandsPerSecond: plans.payg?.commandsPerSecond ?? 0,
    },
  };
}

/** All limits, the first to be reached first. */
export function limitsOf(engines: readonly SimulatedEngine[], prices: Prices): Limit[] {
  const { free, payg } = redisPlans(prices);
  const { redisCommandsPerJob, messagesPerJob, resultRowBytes } = prices.measured;
  const { tiger } = prices.broker.plans;
  const { usdPerStorageGbMonth } = prices.postgres;
  const busy = engines.filter(({ share }) => share > 0.01);
  /** What so many full pods do in the busiest hour, the same number of each engine. */
  const jobsOf = (pods: number) =>
    Math.min(
      ...busy.map(
        ({ share, jobsPerSecond }) =>
          (Math.floor(pods / busy.length) * jobsPerSecond) / (share * PEAK_PER_S),
      ),
    );
  const monthly = (perJob: number) => perJob * DAYS_A_MONTH;
  const [first] = busy.toSorted((a, b) => b.share - a.share);
  if (!first) throw new RangeError("no engine has a share of the load");
  const limits: Limit[] = [
    {
      what: "Redis: órdenes gratis de Upstash",
      because: `${es(free.commandsPerMonth)} al mes, dos por trabajo`,
      jobsPerDay: free.commandsPerMonth / monthly(redisCommandsPerJob),
      kind: "money",
      remedy: `pagar por uso (${usd(payg.usdPer100kCommands)} por 100.000)`,
    },
    {
      what: "RabbitMQ: mensajes de un plan compartido",
      because: `${es(tiger?.messagesPerMonth ?? 0)} al mes por ${usd(tiger?.usdPerMonth ?? 0)}, ${messagesPerJob} por trabajo como mucho`,
      jobsPerDay: (tiger?.messagesPerMonth ?? 0) / monthly(messagesPerJob),
      kind: "money",
      remedy: "un servidor dedicado, que no los cuenta",
    },
    {
      what: `Redis: ${usd(SERVICES_USD)} al mes en órdenes`,
      because: `${usd(payg.usdPer100kCommands)} por 100.000, dos por trabajo sin agrupar`,
      jobsPerDay:
        ((SERVICES_USD / payg.usdPer100kCommands) * 100_000) / monthly(redisCommandsPerJob),
      kind: "money",
      remedy: "un plan fijo de Upstash, que no cuenta órdenes, mientras quepan las reservas",
    },
    {
      what: "Redis: memoria gratis de Upstash",
      because: `256 MB, ${CLAIM_BYTES} bytes por reserva durante ${CLAIM_HOURS} h`,
      jobsPerDay: FREE_REDIS_BYTES / (CLAIM_BYTES * busiest(CLAIM_HOURS)),
      kind: "money",
      remedy: "pagar por uso (hasta 100 GB), o `CLAIM_TTL_S` más corto",
    },
    {
      what: `Postgres: ${usd(SERVICES_USD)} al mes de disco`,
      because: `${es(resultRowBytes)} bytes por resultado, ${RETENTION_DAYS} días, ${usd(usdPerStorageGbMonth)} por GB`,
      jobsPerDay: (SERVICES_USD / usdPerStorageGbMonth) * (1e9 / (resultRowBytes * RETENTION_DAYS)),
      kind: "money",
      remedy: "`RETENTION_DAYS` más corto; después, particiones",
    },
    {
      what: "Postgres: dos núcleos para todo",
      because: `${es(first.jobsPerSecond)} trabajos de ${first.name} por segundo, medidos`,
      jobsPerDay: first.jobsPerSecond / (first.share * PEAK_PER_S),
      kind: "wall",
      remedy: "más CU; un proyecto de Postgres por motor",
    },
    {
      what: "Redis: órdenes por segundo de Upstash",
      because: `${es(payg.commandsPerSecond)} como mucho, dos por trabajo sin agrupar`,
      jobsPerDay: payg.commandsPerSecond / redisCommandsPerJob / PEAK_PER_S,
      kind: "wall",
      remedy: "casi nunca se llega: a ese ritmo los trabajos van en grupos; un Redis propio",
    },
    {
      what: "RabbitMQ: un broker de dos núcleos",
      because: `${es(BROKER_JOBS_PER_S)} trabajos por segundo con respuesta, medidos`,
      jobsPerDay: BROKER_JOBS_PER_S / PEAK_PER_S,
      kind: "wall",
      remedy: "un clúster; más brokers; colas partidas",
    },
    {
      what: "Postgres: conexiones sin pooler",
      because: `${DIRECT_CONNECTIONS} en 0,25 CU, dos por worker: ${DIRECT_PODS} pods llenos`,
      jobsPerDay: jobsOf(DIRECT_PODS),
      kind: "wall",
      remedy: "la URL del pooler de Neon (10.000)",
    },
    {
      what: `Pods: los ${MOST_PODS} de la cuota`,
      because: "llenos, a partes iguales entre los motores",
      jobsPerDay: jobsOf(MOST_PODS),
      kind: "wall",
      remedy: "subir la cuota, y con ella el presupuesto",
    },
  ];
  return limits.toSorted((a, b) => a.jobsPerDay - b.jobsPerDay);
}
