/** What each engine runs as: its definition, its ScaledObject, its Deployment. */
import { podsOf } from "../../cost/worst-pods.ts";
import { markdownTable } from "../../scaling/simulate/figure-tables.ts";
import type { FleetEngine } from "./parts.ts";

const whole = (value: number) => value.toLocaleString("es-ES", { useGrouping: "always" });

export const fleetTable = (fleet: readonly FleetEngine[]) =>
  markdownTable(
    [
      "motor",
      "trabajos a la vez por pod",
      "techo de un trabajo",
      "trabajos/s por pod",
      "réplicas",
      "espera aceptada",
      "mensajes por réplica",
      "pods en el peor caso",
    ],
    fleet.map(({ definition, scaled: { simulated, group } }) => {
      const { minReplicaCount, maxReplicaCount, triggers } = simulated.scaledObject;
      return [
        `\`${definition.name}\``,
        String(definition.concurrency),
        `${definition.timeoutMs / 1_000} s`,
        whole(simulated.jobsPerSecond),
        `${minReplicaCount}–${maxReplicaCount}`,
        `${simulated.targetWaitS} s`,
        whole(Number(triggers[0]?.value)),
        String(podsOf(group)),
      ];
    }),
  );
