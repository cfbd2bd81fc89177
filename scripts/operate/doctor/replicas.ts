/** How many workers there can be at once, and what they then ask of the servers: what the limits there must hold. */
import { planConnections } from "../../../shared/engine/connections.ts";
import { readEnvironmentFiles } from "../../cost/environment.ts";
import { podsOf } from "../../cost/worst-pods.ts";
import { BadFiles } from "../../kubernetes/read/bad-files.ts";
import type { FoundWorker } from "../../workers.ts";

/** Two of each server but Postgres: one to consume or to command, one to publish or to listen. */
const CONNECTIONS_PER_WORKER = 2;

export interface EngineAtMost {
  engine: string;
  /** All replicas, those of a rollout, and as many that drain. */
  workers: number;
  postgresConnections: number;
}

export interface AtMost {
  environment: string;
  workers: number;
  amqpConnections: number;
  redisConnections: number;
  postgresConnections: number;
  engines: EngineAtMost[];
}

/** @returns why it is not known, where the environment's manifests can't be read. */
export async function readAtMost(
  environment: string,
  workers: readonly FoundWorker[],
  poolMax: number | undefined,
): Promise<AtMost | string> {
  try {
    const files = await readEnvironmentFiles(environment);
    const engines = files.engines.flatMap(({ group }): EngineAtMost[] => {
      const found = workers.find(({ definition }) => definition.name === group.name);
      if (found === undefined) return [];
      const count = podsOf(group);
      const each = poolMax ?? planConnections(found.definition, undefined).poolMax;
      return [{ engine: group.name, workers: count, postgresConnections: count * each }];
    });
    const sum = (of: (engine: EngineAtMost) => number) =>
      engines.reduce((total, engine) => total + of(engine), 0);
    const count = sum((engine) => engine.workers);
    return {
      environment,
      workers: count,
      amqpConnections: count * CONNECTIONS_PER_WORKER,
      redisConnections: count * CONNECTIONS_PER_WORKER,
      postgresConnections: sum((engine) => engine.postgresConnections),
      engines,
    };
  } catch (error) {
    if (error instanceof BadFiles) return "the manifests are wrong: make lint-manifests";
    throw error;
  }
}
