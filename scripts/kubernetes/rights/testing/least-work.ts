/** All that an engine's runtime asks of a service, done once by the runtime's own code: whatever is refused rejects. */
import { openConnection } from "@tl-engine/shared/broker/connection";
import type { Delivery } from "@tl-engine/shared/broker/consume";
import { lanesOf } from "@tl-engine/shared/broker/lanes";
import { createLog } from "@tl-engine/shared/process/log";
import type { Queryable } from "@tl-engine/shared/stores/database";
import { openRedis, type Redis } from "@tl-engine/shared/stores/redis";
import { checkRedis } from "@tl-engine/shared/stores/start-checks";
import { BURIALS, DELAY_TIERS, redisKeys, SCHEDULER } from "@tl-engine/shared/wire/names";
import type { Outgoing } from "../../../../shared/broker/publish-frames.ts";
import type { TargetJob, WorkerDefinition } from "../../../../shared/engine/define-worker.ts";
import { createClaims } from "../../../../shared/job/claim.ts";
import { emptyEnvelope } from "../../../../shared/job/envelope.ts";
import {
  deadLetter,
  dueMessage,
  eventMessages,
  postponed,
  replyMessage,
} from "../../../../shared/job/messages.ts";
import {
  insertFirst,
  insertResults,
  type ResultRow,
  selectResults,
} from "../../../../shared/job/result-rows.ts";
import { nearestTier, waitTier } from "../../../../shared/job/retry.ts";
import { UNTRIED_DELAY_MS } from "../../../../shared/job/turn.ts";
import { readMigrations, verifySchema } from "../../../../shared/stores/migrate.ts";
import type { FoundWorker } from "../../../workers.ts";
import { eventTypesOf } from "../statements.ts";
import type { RightsFleet } from "./rights-fleet.ts";

const PUBLISHER = "tl-plane";

const DUE: TargetJob = {
  ...{ engine: "activities", lane: "interactive", id: "due-1", body: "{}" },
  type: "activities.record.v1",
};

/** Whose jobs an engine ends: its own, or those of all others. */
const endedBy = ({ workers }: RightsFleet, { name }: WorkerDefinition): string[] =>
  name === BURIALS ? workers.map(({ definition }) => definition.name) : [name];

function rowOf(stage: RightsFleet, engine: string, status: ResultRow["status"]): ResultRow {
  return {
    ...{ engine, status, jobId: stage.fleet.newId(), generation: 0, attempt: 1 },
    code: status === "failed" ? "rejected" : null,
    ...{ type: `${engine}.x.v1`, inputHash: "h", publisher: PUBLISHER, appId: "x", events: null },
    reply: JSON.stringify({ status }),
    startedAtMs: Date.now(),
  };
}

/** Messages as each end of a job makes them. */
function messagesOf(stage: RightsFleet, definition: WorkerDefinition): Outgoing[] {
  const { names, replyTo } = stage.fleet;
  const message = { content: Buffer.from("{}"), fields: {}, properties: {} };
  const isBurials = definition.name === BURIALS;
  const tiers = isBurials
    ? [nearestTier(UNTRIED_DELAY_MS)]
    : DELAY_TIERS.map(({ delayMs }) => waitTier(delayMs));
  const events = eventTypesOf(definition.actions).map((type) => ({ id: "ev-1", type, body: "{}" }));
  return endedBy(stage, definition).flatMap((engine) => {
    const envelope = emptyEnvelope({ message, lane: "interactive" } as unknown as Delivery, engine);
    Object.assign(envelope, { id: "x", replyTo });
    const problem = { code: "rejected", message: "no" } as const;
    const grave = { name: names.dead(engine), maxBodyBytes: 1_000 };
    const row = { ...rowOf(stage, engine, "succeeded"), events: JSON.stringify(events) };
    const ending = { body: "{}", how: "succeeded", generation: 0, attempt: 1 };
    return [
      replyMessage(envelope, ending, stage.replyExchange) as Outgoing,
      deadLetter(envelope, problem, 1, grave),
      ...eventMessages(envelope, row, names),
      ...tiers.map(({ name }) =>
        postponed(envelope, names.delay(name), { attempt: 2, crashes: 0 }),
      ),
      ...(definition.name === BURIALS || definition.name === SCHEDULER
        ? []
        : lanesOf(engine).map((lane) =>
            postponed({ ...envelope, lane }, names.later, { attempt: 1, crashes: 0, runAt: 1 }),
          )),
      ...(definition.name === SCHEDULER ? [dueMessage(DUE, names)] : []),
    ];
  });
}

export async function workOnBroker(
  stage: RightsFleet,
  definition: WorkerDefinition,
): Promise<void> {
  const { AMQP_URL } = stage.urlsOf(definition.name);
  const { names, config } = stage.fleet;
  const { model } = await openConnection({ ...config, AMQP_URL }, "least work");
  try {
    const channel = await model.createConfirmChannel();
    const refused = new Promise<never>((_, reject) => channel.on("error", reject));
    refused.catch(() => {});
    for (const lane of lanesOf(definition.name))
      await channel.consume(names.queue(definition.name, lane), () => {});
    for (const { exchange, routingKey, body } of messagesOf(stage, definition)) {
      channel.publish(exchange, routingKey, Buffer.from(body));
      await Promise.race([refused, channel.waitForConfirms()]);
    }
  } finally {
    await model.close();
  }
}

/** @param client as the engine's role. */
export async function workInPostgres(
  stage: RightsFleet,
  client: Queryable,
  { definition, folder }: FoundWorker,
): Promise<void> {
  const options = { worker: "w", prepared: false, lockTimeoutMs: 500 };
  await verifySchema(client, await readMigrations(folder));
  await client.query("select engine.purge_results($1, 30)", [definition.name]);
  for (const engine of endedBy(stage, definition)) {
    if (definition.name !== BURIALS)
      await insertFirst(client, [rowOf(stage, engine, "succeeded")], options);
    const failed = rowOf(stage, engine, "failed");
    await insertResults(client, [failed], options);
    await insertResults(client, [{ ...failed, generation: 1 }], options);
    await selectResults(client, [failed]);
  }
}

export async function workInRedis(stage: RightsFleet, definition: WorkerDefinition): Promise<void> {
  const { config, newId } = stage.fleet;
  const { REDIS_URL } = stage.urlsOf(definition.name);
  const { name } = definition;
  const prefix = config.ENGINE_PREFIX;
  const troubles: unknown[] = [];
  const warn = { write: (line: string) => troubles.push(line) };
  const log = createLog({}, "warn", warn);
  const redis: Redis = openRedis(REDIS_URL, log, { enableOfflineQueue: true });
  redis.on("error", (error) => troubles.push(error));
  try {
    const job = (engine: string) => ({
      ...{ engine, publisher: PUBLISHER, id: newId() },
      ...{ generation: 0, attempt: 1, crashes: 0, redeliveries: 0, returns: 0 },
    });
    const keyOf = ({ engine, publisher, id }: ReturnType<typeof job>) =>
      redisKeys.claim(prefix, engine, publisher, id);
    const channels = redisKeys.cancel(prefix, name, "*");
    const keys: [string, string] = [keyOf(job(name)), keyOf(job(name))];
    await checkRedis(redis, { redisUrl: REDIS_URL, keys, channels }, log);
    const onSkipped = (_jobs: number, error: unknown) => troubles.push(error);
    const claims = createClaims({ redis, prefix, leaseMs: 2_000, ttlMs: 60_000, onSkipped });
    for (const engine of endedBy(stage, definition)) {
      const ended = job(engine);
      if (name !== BURIALS) {
        const claim = await claims.claim(ended, false);
        const token = "token" in claim ? String(claim.token) : "";
        await claims.heartbeat([{ ...ended, token, progress: "{}" }]);
      }
      await claims.unclaim("done", ended, undefined);
    }
  } finally {
    redis.disconnect();
  }
  if (troubles.length > 0) throw new Error(troubles.join("; "));
}
