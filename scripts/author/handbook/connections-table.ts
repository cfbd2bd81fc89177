/** Connections that the fleet may have open at once, at its worst, beside what dev's plans allow. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { planConnections } from "../../../shared/engine/connections.ts";
import { podsOf } from "../../cost/worst-pods.ts";
import { markdownTable } from "../../scaling/simulate/figure-tables.ts";
import type { FleetEngine } from "./parts.ts";

const TARGET = fileURLToPath(
  new URL("../../../manifests/overlays/dev/target.yaml", import.meta.url),
);
/** One that consumes and one that publishes; one for orders and one that listens. */
const AMQP = 2;
const REDIS = 2;

export function connectionsTable(fleet: readonly FleetEngine[]): string {
  const rows = fleet.map(({ definition, scaled: { group } }) => {
    const pods = podsOf(group);
    const postgres = pods * planConnections(definition, undefined).poolMax;
    return {
      name: `\`${definition.name}\``,
      pods,
      amqp: pods * AMQP,
      postgres,
      redis: pods * REDIS,
    };
  });
  const sum = (of: (row: (typeof rows)[number]) => number) =>
    String(rows.reduce((total, row) => total + of(row), 0));
  const { amqpConnections, postgresConnections } = parse(readFileSync(TARGET, "utf8"));
  return markdownTable(
    ["motor", "pods en el peor caso", "AMQP", "Postgres", "Redis"],
    [
      ...rows.map(({ name, pods, amqp, postgres, redis }) => [
        name,
        ...[pods, amqp, postgres, redis].map(String),
      ]),
      [
        "todos",
        sum((it) => it.pods),
        sum((it) => it.amqp),
        sum((it) => it.postgres),
        sum((it) => it.redis),
      ],
      [
        "lo que admite dev",
        "–",
        String(amqpConnections),
        String(postgresConnections),
        "según el plan",
      ],
    ],
  );
}
