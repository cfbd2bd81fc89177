/** What the doctor says of one check, for tests that break it. */

import { brokerNames } from "@tl-engine/shared/wire/names";
import { expect } from "vitest";
import { loadWorkers } from "../../../workers.ts";
import type { Fleet, Part } from "../check.ts";
import { readDoctorConfig } from "../environment.ts";
import { readAtMost } from "../replicas.ts";
import { type Result, runPart } from "../run-part.ts";
import { withoutSecrets } from "../secrets.ts";

const LIMIT_MS = 10_000;

export interface Given {
  /** Beside what the environment of the tests gives. */
  env?: Record<string, string | undefined>;
  limitMs?: number;
  now?: () => number;
}

/** Runs one part, as `diagnose` does. */
export async function examine<Source>(part: Part<Source>, given: Given = {}): Promise<Result[]> {
  const { env = {}, limitMs = LIMIT_MS, now = Date.now } = given;
  const config = readDoctorConfig({ ...process.env, ...env });
  const workers = await loadWorkers();
  const atMost = await readAtMost("dev", workers, undefined);
  const fleet: Fleet = { config, names: brokerNames(config.ENGINE_PREFIX), workers, atMost, now };
  const results = await runPart(part, { fleet, limitMs });
  return results.map((result) => withoutSecrets(result, config));
}

/** The finding of one check; `redis.eviction` and the like. */
export function of(results: Result[], check: string): Result {
  const found = results.filter((result) => result.check === check);
  expect(found, check).toHaveLength(1);
  return found[0] as Result;
}

/** What is wrong, with cause and next command in one text. */
export function told(results: Result[], check: string): string {
  const { level, found, ...rest } = of(results, check);
  const more = "cause" in rest ? `; ${rest.cause}; ${rest.next}` : "";
  return `${level}: ${found}${more}`;
}
