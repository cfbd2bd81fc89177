/** Runs one part of the doctor: reaches its server, then all checks on it side by side, none for longer than its time. */
import { ManagementError } from "@tl-engine/shared/broker/management";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { type Check, type Finding, type Fleet, failure, type Opened, type Part } from "./check.ts";

export type Result = Finding & {
  /** `redis.eviction` */
  check: string;
  looksAt: string;
  ms: number;
};

export interface RunOptions {
  fleet: Fleet;
  /** Of one check. */
  limitMs: number;
}

const REACH = "reached, let in, latency, version";
const CLOSE_LIMIT_MS = 1_000;

class TooSlow extends Error {
  override readonly name = "TooSlow";
}

/** What comes later is dropped: a server that hangs is told, not waited for. */
async function within<Value>(limitMs: number, promise: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new TooSlow(`no answer within ${limitMs} ms`)), limitMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

export async function runPart<Source>(part: Part<Source>, options: RunOptions): Promise<Result[]> {
  const { fleet, limitMs } = options;
  const startedAt = performance.now();
  const named = { check: `${part.name}.reach`, looksAt: REACH };
  const opening = part.open(fleet);
  const opened = await within(limitMs, opening).catch((error) =>
    thrown(error, part.byHand(fleet.config), true),
  );
  const reached = { ...named, ms: performance.now() - startedAt };
  if ("level" in opened) {
    opening.then(close, () => {});
    return [{ ...opened, ...reached }, ...part.checks.map((check) => notLooked(part, check))];
  }
  try {
    const results = await Promise.all(
      part.checks.map((check) => runCheck(part, check, opened.source, options)),
    );
    return [{ ...opened.found, ...reached }, ...results.flat()];
  } finally {
    await close(opened);
  }
}

/** A server that hangs does not answer its end either. */
async function close(opened: Opened<unknown> | Finding): Promise<void> {
  if ("level" in opened) return;
  await within(CLOSE_LIMIT_MS, opened.close()).catch(() => {});
}

const notLooked = <Source>(part: Part<Source>, { name, looksAt }: Check<Source>): Result => ({
  check: `${part.name}.${name}`,
  looksAt,
  ms: 0,
  level: "skipped",
  found: `not looked at: see ${part.name}.reach`,
});

async function runCheck<Source>(
  part: Part<Source>,
  check: Check<Source>,
  source: Source,
  { fleet, limitMs }: RunOptions,
): Promise<Result[]> {
  const startedAt = performance.now();
  const run = async () => check.run(source, fleet);
  const explain = (error: unknown) =>
    error instanceof TooSlow ? error : (part.explain?.(error, fleet.config) ?? error);
  const found = await within(limitMs, run()).catch((error) =>
    thrown(explain(error), part.byHand(fleet.config), false),
  );
  const ms = performance.now() - startedAt;
  const named = { check: `${part.name}.${check.name}`, looksAt: check.looksAt, ms };
  return [found].flat().map((finding) => ({ ...finding, ...named }));
}

/** Start-up checks say cause and remedy in their message. */
function thrown(error: unknown, byHand: string, isReach: boolean): Finding {
  const failed = isReach ? "not reached" : "not fit";
  const cause = error instanceof Error ? error.message : String(error);
  if (error instanceof StartFailure || error instanceof ManagementError)
    return failure(failed, cause, byHand);
  if (error instanceof TooSlow)
    return failure(
      cause,
      "it takes connections and hangs, is overloaded, or something in between swallows the answers",
      byHand,
    );
  return failure("could not be looked at", cause, byHand);
}
