/** The part of a run in which people are told: made known before the replay, ended after it, and computed without the fleet. */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ActivitiesRecordOutput } from "../../../shared/client/contract.ts";
import type { ExpectedTold } from "./check-told.ts";
import { introduce } from "./introduce.ts";
import type { Plan } from "./plan.ts";
import {
  breachedHere,
  firedByBreaches,
  firedHere,
  policiesOf,
  ruleSet,
  sweepsOf,
  sweptHere,
  tracksOf,
} from "./rules.ts";
import type { Stage } from "./run.ts";
import { sendAgain } from "./send-again.ts";
import { tellHere } from "./told.ts";

const CALL_TIMEOUT_MS = 60_000;
const POLL_MS = 200;
/** A window is a minute, and a mail that is put off comes soon after. */
const MAILS_WAIT_MS = 90_000;

/** Puts the people, their wishes, what they follow, and the rules; resolves when the engines know them all. */
export async function makeKnown(plan: Plan, stage: Stage): Promise<void> {
  const { members, preferences, subscriptions } = introduce(plan);
  const { client, signal } = stage;
  const how = (id: string) => ({ id, timeoutMs: CALL_TIMEOUT_MS, signal });
  await all(
    members,
    (input, id) => client.call("notifications", "members", input, how(id)),
    signal,
  );
  await all(
    preferences,
    (input, id) => client.call("notifications", "preferences", input, how(id)),
    signal,
  );
  await all(
    subscriptions,
    (input, id) => client.call("notifications", "subscriptions", input, how(id)),
    signal,
  );
  await all(
    [ruleSet(plan)],
    (input, id) => client.call("automations", "rules", input, how(id)),
    signal,
  );
}

const [FIRST_S, LAST_S] = [5, 45];

/** The digests' windows are the clock's minutes: so that one ends while the replay runs, it begins in a part of one. */
export async function startOfReplay(signal: AbortSignal): Promise<void> {
  const second = (Date.now() / 1_000) % 60;
  if (second >= FIRST_S && second <= LAST_S) return;
  const waitS = (FIRST_S - second + 60) % 60;
  await delay(waitS * 1_000, undefined, { signal });
}

/** Puts the deadlines, tells of the items, and sweeps; returns what was swept. */
export async function tellAtTheEnd(plan: Plan, { client, signal }: Stage): Promise<string[]> {
  const how = (id: string) => ({ id, timeoutMs: CALL_TIMEOUT_MS, signal });
  const policies = policiesOf(plan);
  await all(
    policies,
    (input, id) => client.call("automations", "policies", input, how(id)),
    signal,
  );
  await all(
    tracksOf(plan),
    (input, id) => client.call("automations", "track", input, how(id)),
    signal,
  );
  const sweeps = await all(
    sweepsOf(plan),
    (input, id) => client.call("automations", "sweep", input, how(id)),
    signal,
  );
  return sweeps.flatMap(({ archive, close }) => [
    ...archive.map(({ itemId }) => `archive ${itemId}`),
    ...close.map(({ itemId }) => `close ${itemId}`),
  ]);
}

/** By one pass without the fleet. */
export function expectTold(
  plan: Plan,
  outputs: ReadonlyMap<string, ActivitiesRecordOutput>,
): ExpectedTold {
  const { inApp, mailed } = tellHere(plan.jobs, outputs, plan.audience);
  const breached = breachedHere(plan, Date.now());
  const fired = new Set([...firedHere(plan.jobs, outputs), ...firedByBreaches(breached)]);
  const breaches = new Set([...breached].map(([itemId, atMs]) => `${itemId} ${atMs}`));
  return { inApp, mailed, fired, breached: breaches, swept: sweptHere(plan) };
}

/** Resolves when every window is mailed and every rule has fired, or when that takes too long: the check says what is missing. */
export async function mailsDone(plan: Plan, expected: ExpectedTold, stage: Stage): Promise<void> {
  const untilMs = Date.now() + MAILS_WAIT_MS;
  const isDone = async () => {
    const rows = await stage.rows.mails(plan.workspaceId);
    const { announced } = stage.observer;
    const entries = rows.reduce((sum, row) => sum + row.entries.length, 0);
    const fired = announced.get("automation.fired")?.size ?? 0;
    return (
      entries >= expected.mailed.size &&
      fired >= expected.fired.size &&
      rows.every(({ state }) => state !== null && state !== "frozen")
    );
  };
  while (Date.now() < untilMs && !(await isDone()))
    await delay(POLL_MS, undefined, { signal: stage.signal });
}

/** A broker that is away is asked again, by the same id. */
async function all<Input, Output>(
  inputs: readonly Input[],
  call: (input: Input, id: string) => Promise<Output>,
  signal: AbortSignal,
): Promise<Output[]> {
  return Promise.all(
    inputs.map((input) => {
      const id = randomUUID();
      return sendAgain(() => call(input, id), signal);
    }),
  );
}
