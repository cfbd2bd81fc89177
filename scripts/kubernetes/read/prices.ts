/** The price file: each figure has its source and its date, and one that is too old is warned about. */
import { z } from "zod";
import { readChecked } from "./checked-yaml.ts";
import type { Problem, SourceObject } from "./documents.ts";

export const PRICE_FILE = "manifests/prices.yaml";

/** YAML 1.1 makes a date of `2026-11-12` without quotes. */
const day = z.preprocess(
  (it) => (it instanceof Date ? it.toISOString().slice(0, 10) : it),
  z.iso.date(),
);

const figureOf = (source: z.ZodType<string>) =>
  z
    .strictObject({
      value: z.number().nonnegative(),
      source,
      /** When the source said so. */
      date: day,
      /** What the operator must look up before the figure is relied on. */
      confirm: z.string().min(1).optional(),
    })
    .transform(({ value }) => value);

/** What a provider asks or allows, where it says so. */
const price = figureOf(z.url({ protocol: /^https$/ }));
/** What our own jobs use: a file of the repository or a command that shows it. */
const measured = figureOf(z.string().min(3));

const Prices = z.strictObject({
  /** A figure with an older date is warned about. */
  staleAfterDays: z.int().positive(),
  kubernetes: z.strictObject({
    clusterUsdPerHour: price,
    /** What the provider gives back for one cluster of a billing account. */
    freeTierUsdPerMonth: price,
    vcpuUsdPerHour: price,
    memoryUsdPerGibHour: price,
    egressUsdPerGb: price,
  }),
  broker: z.strictObject({
    plans: z.record(
      z.string(),
      z.strictObject({ usdPerMonth: price, messagesPerMonth: price.optional() }),
    ),
  }),
  redis: z.strictObject({
    plans: z.record(
      z.string(),
      z.strictObject({
        usdPerMonth: price,
        usdPer100kCommands: price.optional(),
        commandsPerMonth: price.optional(),
        commandsPerSecond: price,
      }),
    ),
  }),
  postgres: z.strictObject({
    usdPerCuHour: price,
    usdPerStorageGbMonth: price,
    usdPerHistoryGbMonth: price,
    suspendAfterMinutes: price,
  }),
  objectStorage: z.strictObject({ usdPerGbMonth: price }),
  productAnalytics: z.strictObject({ usdPerEvent: price }),
  measured: z.strictObject({
    redisCommandsPerJob: measured,
    redisCommandsPerStart: measured,
    messagesPerJob: measured,
    /** One row of engine.results with its indexes. */
    resultRowBytes: measured,
    walBytesPerJob: measured,
    sentBytesPerJob: measured,
  }),
});
export type Prices = z.output<typeof Prices>;

/** Throws BadFiles. `todayMs` decides which figures are old. */
export function readPrices(
  todayMs: number,
  file = PRICE_FILE,
): { prices: Prices; warnings: Problem[]; toConfirm: number } {
  const { value: prices, source } = readChecked(
    file,
    Prices,
    "every figure is { value: number, source: https://…, date: yyyy-mm-dd }",
  );
  const figures = figuresIn(source.value, source);
  return {
    prices,
    warnings: figures.flatMap((figure) => oldOne(figure, file, prices.staleAfterDays, todayMs)),
    toConfirm: figures.filter(({ confirm }) => confirm !== undefined).length,
  };
}

interface Found {
  path: string[];
  line: number;
  date: string;
  confirm?: string;
}

function figuresIn(value: unknown, source: SourceObject, path: string[] = []): Found[] {
  if (value === null || typeof value !== "object") return [];
  const it = value as Record<string, unknown>;
  if ("value" in it && "date" in it)
    return [
      {
        path,
        line: source.lineOf(path),
        date: day.parse(it.date),
        ...(typeof it.confirm === "string" && { confirm: it.confirm }),
      },
    ];
  return Object.entries(it).flatMap(([key, inner]) => figuresIn(inner, source, [...path, key]));
}

const DAY_MS = 86_400_000;

function oldOne({ path, line, date }: Found, file: string, days: number, todayMs: number) {
  const ageDays = Math.floor((todayMs - Date.parse(date)) / DAY_MS);
  if (ageDays <= days) return [];
  return [
    {
      file,
      line,
      rule: "old-price",
      message: `${path.join(".")} is of ${date}, ${ageDays} days old`,
      fix: "look at its source again and set the date",
    },
  ];
}
