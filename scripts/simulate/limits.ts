/** Which service becomes the limit at how many jobs a day: what a job uses of it, and how much of it there is. */
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
}

const DAYS_A_MONTH = 730 / 24;

/** Measured after `make demo`: 27,790 results with their indexes are 30.4 MB, as many claims 5.9 MB. */
export const BYTES = { resultRow: 1_096, claim: 213 };
/** https://upstash.com/docs/redis/overall/billing, November 2026. */
export const UPSTASH = {
  freeCommands: 500_000,
  freeBytes: 256e6,
  usdPer100kCommands: 0.2,
  commandsPerS: 10_000,
};
/** https://neon.com/docs/introduction/plans, November 2026. */
export const NEON = { usdPerGbMonth: 0.35 };
/** docs/meta/rendimiento.md, two shared cores for the services and the worker. */
const MEASURED = { activitiesPerS: 2_071, brokerJobsPerS: 12_413 };
/** docs/infra/redis.md. */
export const COMMANDS_A_JOB = 2;
/** RETENTION_DAYS. */
export const RETENTION_DAYS = 30;
/** CLAIM_TTL_S, in hours. */
const CLAIM_HOURS = 6;
/** shared/purge.ts: at most this many rows of an engine each ten minutes, for each worker. */
const PURGED_A_DAY = 1_000 * 6 * 24;
/** The owner's budget for all services, at the most. */
const SERVICES_USD = 74;
/** The owner's quota of pods. */
const MOST_PODS = 50;

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

const usd = (value: number) => `$${value}`;
const es = (value: number) => value.toLocaleString("es-ES", { useGrouping: "always" });

/** All limits, the first to be reached first. */
export function limitsOf(engines: readonly SimulatedEngine[]): Limit[] {
  const busy = engines.filter(({ share }) => share > 0.01);
  const monthly = (perJob: number) => perJob * DAYS_A_MONTH;
  const limits: Limit[] = [
    {
      what: "Redis: órdenes gratis de Upstash",
      because: `${es(UPSTASH.freeCommands)} al mes, dos por trabajo`,
      jobsPerDay: UPSTASH.freeCommands / monthly(COMMANDS_A_JOB),
      kind: "money",
    },
    {
      what: "Postgres: la purga no da abasto",
      because: `${es(PURGED_A_DAY)} filas al día por motor, con un worker`,
      jobsPerDay: Math.min(...busy.map(({ share }) => PURGED_A_DAY / share)),
      kind: "wall",
    },
    {
      what: `Redis: ${usd(SERVICES_USD)} al mes en órdenes`,
      because: `${usd(UPSTASH.usdPer100kCommands)} por 100.000, dos por trabajo sin agrupar`,
      jobsPerDay: ((SERVICES_USD / UPSTASH.usdPer100kCommands) * 100_000) / monthly(COMMANDS_A_JOB),
      kind: "money",
    },
    {
      what: "Redis: memoria gratis de Upstash",
      because: `256 MB, ${BYTES.claim} bytes por reserva durante ${CLAIM_HOURS} h`,
      jobsPerDay: UPSTASH.freeBytes / (BYTES.claim * busiest(CLAIM_HOURS)),
      kind: "money",
    },
    {
      what: `Postgres: ${usd(SERVICES_USD)} al mes de disco`,
      because: `${es(BYTES.resultRow)} bytes por resultado, ${RETENTION_DAYS} días, ${usd(NEON.usdPerGbMonth)} por GB`,
      jobsPerDay: (SERVICES_USD / NEON.usdPerGbMonth) * (1e9 / (BYTES.resultRow * RETENTION_DAYS)),
      kind: "money",
    },
    {
      what: "Postgres: dos núcleos para todo",
      because: `${es(MEASURED.activitiesPerS)} conjuntos de cambios por segundo, medidos`,
      jobsPerDay: MEASURED.activitiesPerS / ((busy[0]?.share ?? 1) * PEAK_PER_S),
      kind: "wall",
    },
    {
      what: "Redis: órdenes por segundo de Upstash",
      because: `${es(UPSTASH.commandsPerS)} como mucho, dos por trabajo sin agrupar`,
      jobsPerDay: UPSTASH.commandsPerS / COMMANDS_A_JOB / PEAK_PER_S,
      kind: "wall",
    },
    {
      what: "RabbitMQ: un broker de dos núcleos",
      because: `${es(MEASURED.brokerJobsPerS)} trabajos por segundo con respuesta, medidos`,
      jobsPerDay: MEASURED.brokerJobsPerS / PEAK_PER_S,
      kind: "wall",
    },
    {
      what: `Pods: los ${MOST_PODS} de la cuota`,
      because: "ocupados del todo, a partes iguales",
      jobsPerDay: Math.min(
        ...busy.map(
          ({ share, jobsPerSecond }) =>
            ((MOST_PODS / busy.length) * jobsPerSecond) / (share * PEAK_PER_S),
        ),
      ),
      kind: "wall",
    },
  ];
  return limits.toSorted((a, b) => a.jobsPerDay - b.jobsPerDay);
}
