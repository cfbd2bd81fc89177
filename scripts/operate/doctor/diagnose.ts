/** The doctor as a function: every part side by side, and what all of it comes to. */
import { brokerNames } from "@tl-engine/shared/wire/names";
import { loadWorkers } from "../../workers.ts";
import { broker } from "./broker/part.ts";
import type { Finding, Fleet } from "./check.ts";
import type { DoctorConfig } from "./environment.ts";
import { kubernetes } from "./kubernetes.ts";
import { management } from "./management/part.ts";
import { otlp } from "./otlp.ts";
import { postgres } from "./postgres/part.ts";
import { redis } from "./redis/part.ts";
import { readAtMost } from "./replicas.ts";
import { type Result, runPart } from "./run-part.ts";
import { s3 } from "./s3.ts";
import { withoutSecrets } from "./secrets.ts";

/** Longer than any healthy server takes, a database that has to wake up too. */
const LIMIT_MS = 10_000;

export interface DiagnoseOptions {
  /** `dev`, `staging`: whose manifests say how many workers there may be. Undefined: dev, and no cluster is asked. */
  environment?: string | undefined;
  /** Time of one check. Default: 10 s. */
  limitMs?: number;
  /** Our clock. */
  now?: () => number;
}

export interface Diagnosis {
  results: Result[];
  counts: Record<Finding["level"], number>;
  seconds: number;
}

const DEFAULT_ENVIRONMENT = "dev";

/** Changes nothing on any server, but for two claims' keys that expire after a millisecond, and a file in the bucket that it removes. */
export async function diagnose(
  config: DoctorConfig,
  { environment, limitMs = LIMIT_MS, now = Date.now }: DiagnoseOptions = {},
): Promise<Diagnosis> {
  const startedAt = performance.now();
  const workers = await loadWorkers();
  const atMost = await readAtMost(
    environment ?? DEFAULT_ENVIRONMENT,
    workers,
    config.DATABASE_POOL_MAX,
  );
  const fleet: Fleet = { config, names: brokerNames(config.ENGINE_PREFIX), workers, atMost, now };
  const options = { fleet, limitMs };
  const found = await Promise.all([
    runPart(postgres, options),
    runPart(redis, options),
    runPart(broker, options),
    runPart(management, options),
    runPart(s3, options),
    runPart(otlp, options),
    runPart(kubernetes(environment), options),
  ]);
  const results = found.flat().map((result) => withoutSecrets(result, config));
  const count = (level: Finding["level"]) => results.filter((it) => it.level === level).length;
  return {
    results,
    counts: {
      ok: count("ok"),
      warning: count("warning"),
      failure: count("failure"),
      skipped: count("skipped"),
    },
    seconds: (performance.now() - startedAt) / 1_000,
  };
}
