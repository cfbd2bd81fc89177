/** What is published when: the loads that the simulator knows by name. */

/** The engine that a rate is asked for. */
export interface Sharing {
  name: string;
  /** Of the whole load, from 0 to 1. */
  share: number;
  timeoutMs: number;
  concurrency: number;
  /** Jobs per second that one pod does. */
  jobsPerSecond: number;
}

export interface Load {
  name: string;
  /** For people. */
  title: string;
  durationS: number;
  /** What the clock shows at the beginning, seconds after midnight UTC. */
  clockS: number;
  /** Jobs per second that are published for the engine at that second. */
  rate(engine: Sharing, atS: number): number;
  /** No management API, no consumption; publishers hold what they have. */
  outage?: { fromS: number; toS: number };
  /** Every job of every engine takes this long, instead of what it takes otherwise. */
  slow?: { fromS: number; toS: number; serviceS(engine: Sharing): number };
}

export const LOAD_NAMES = ["1m", "10m", "100m", "burst", "outage", "slow"] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

/** Changes of a real tracker by UTC hour, 2007–2014, in per cent (3,036 issues, 11,363 change sets). */
const BY_HOUR = [
  1.0, 2.4, 1.4, 0.9, 0.9, 1.4, 0.4, 1.4, 1.3, 1.5, 1.7, 2.9, 5.7, 5.3, 6.3, 11.0, 7.2, 11.7, 9.0,
  10.2, 5.1, 4.6, 4.8, 2.0,
];
/** The same by weekday, from Monday. */
const BY_WEEKDAY = [13, 27, 14, 22, 19, 2, 4];
/** Its people sat in North America. The rest of the world has the same day, some hours earlier. */
const REGIONS = [
  { share: 0.5, earlierH: 0 },
  { share: 0.35, earlierH: 6 },
  { share: 0.15, earlierH: 13 },
];

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Share of a day's jobs in each UTC hour, all regions together. */
export const HOUR_SHARES: readonly number[] = BY_HOUR.map(
  (_, hour) =>
    sum(REGIONS.map(({ share, earlierH }) => share * (BY_HOUR[(hour + earlierH) % 24] as number))) /
    sum(BY_HOUR),
);

/** Share of a week's jobs on each day, from Monday; the mean day has a seventh. */
const DAY_SHARES = BY_WEEKDAY.map((share) => share / sum(BY_WEEKDAY));

/** The busiest weekday, as a multiple of the mean day. */
export const WEEKDAY_PEAK = 7 * Math.max(...DAY_SHARES);

/** Jobs per second at a moment of a day of so many jobs; hours run into one another. */
function dayRate(jobsPerDay: number, secondOfDay: number): number {
  const hour = secondOfDay / HOUR_S - 0.5;
  const before = Math.floor(hour);
  const part = hour - before;
  const at = (index: number) => HOUR_SHARES[(index + 24) % 24] as number;
  return (jobsPerDay * (at(before) * (1 - part) + at(before + 1) * part)) / HOUR_S;
}

export interface LoadChoice {
  /** Of a mean day, in all engines; of a burst, all of it. Default by load. */
  jobs?: number;
  /** Days of the day loads. 1 is a mean day; from 2 on they run from Monday and differ by weekday. Default 1. */
  days?: number;
}

/** The load of that name. */
export function loadOf(name: LoadName, { jobs, days = 1 }: LoadChoice = {}): Load {
  switch (name) {
    case "1m":
      return dayLoad(name, jobs ?? 1e6, days);
    case "10m":
      return dayLoad(name, jobs ?? 10e6, days);
    case "100m":
      return dayLoad(name, jobs ?? 100e6, days);
    case "burst":
      return burst(jobs ?? 500_000);
    case "outage":
      return outage(jobs ?? 10e6);
    case "slow":
      return slow(jobs ?? 1e6);
  }
}

function dayLoad(name: string, jobs: number, days: number): Load {
  const weekday = (day: number) => (days === 1 ? 1 : 7 * (DAY_SHARES[day % 7] as number));
  return {
    name,
    title: `${days === 1 ? "a day" : `${days} days`} of ${millions(jobs)} jobs${days === 1 ? "" : " a day"}`,
    durationS: days * DAY_S,
    clockS: 0,
    rate: ({ share }, atS) => share * dayRate(jobs * weekday(Math.floor(atS / DAY_S)), atS % DAY_S),
  };
}

/** An import: everything within a minute, to a fleet that slept. */
function burst(jobs: number): Load {
  const [fromS, lastsS] = [300, 60];
  return {
    name: "burst",
    title: `${millions(jobs)} jobs within one minute, to a fleet at rest`,
    durationS: HOUR_S / 2,
    clockS: 9 * HOUR_S,
    rate: ({ share }, atS) => (atS >= fromS && atS < fromS + lastsS ? (share * jobs) / lastsS : 0),
  };
}

/** The busiest hours of a day, and in them ten minutes without a broker. */
function outage(jobs: number): Load {
  const clockS = 14 * HOUR_S;
  return {
    name: "outage",
    title: `ten minutes without a broker, on a day of ${millions(jobs)} jobs`,
    durationS: 2 * HOUR_S,
    clockS,
    rate: ({ share }, atS) => share * dayRate(jobs, clockS + atS),
    outage: { fromS: HOUR_S, toS: HOUR_S + 600 },
  };
}

/** The slowest that does not time out. */
const SLOW_SHARE_OF_TIMEOUT = 0.8;

/** The busiest hours of a day, and in them an hour in which all jobs take nearly as long as they may. */
function slow(jobs: number): Load {
  const clockS = 14 * HOUR_S;
  return {
    name: "slow",
    title: `an hour in which every job takes 80 % of its timeout, on a day of ${millions(jobs)} jobs`,
    durationS: 3 * HOUR_S,
    clockS,
    rate: ({ share }, atS) => share * dayRate(jobs, clockS + atS),
    slow: {
      fromS: HOUR_S,
      toS: 2 * HOUR_S,
      serviceS: ({ timeoutMs }) => (SLOW_SHARE_OF_TIMEOUT * timeoutMs) / 1_000,
    },
  };
}

/** "1 M", "2.5 M", "500,000". */
export const millions = (jobs: number) =>
  jobs >= 1e6 ? `${Number((jobs / 1e6).toFixed(2))} M` : Math.round(jobs).toLocaleString("en-US");
