/** What `make simulate` says of the loads that it knows by name. */
import { markdownTable } from "../../scaling/simulate/figure-tables.ts";
import { type LoadName, loadOf } from "../../scaling/simulate/loads.ts";
import { duration } from "../../scaling/simulate/report.ts";
import { simulate } from "../../scaling/simulate/simulate.ts";
import type { SimulatedEngine } from "../../scaling/simulate/simulated-engine.ts";

const LOADS: readonly LoadName[] = ["1m", "100m", "burst", "outage", "slow"];

const whole = (value: number) => value.toLocaleString("es-ES", { useGrouping: "always" });
const decimal = (value: number) => value.toFixed(1).replace(".", ",");

export const loadTable = (engines: readonly SimulatedEngine[]) =>
  markdownTable(
    [
      "orden",
      "trabajos",
      "llegan tarde",
      "espera p95 / p99",
      "pods a la vez",
      "arranques",
      "horas de pod",
    ],
    LOADS.map((name) => {
      const result = simulate({ engines, load: loadOf(name) });
      const { jobs, late, wait, maxPods, podHours } = result;
      return [
        `\`make simulate LOAD=${name}\``,
        whole(jobs),
        `${decimal((100 * late) / jobs)} %`,
        `${duration(wait.p95S)} / ${duration(wait.p99S)}`.replaceAll(".", ","),
        String(maxPods),
        String(result.engines.reduce((sum, { podsStarted }) => sum + podsStarted, 0)),
        decimal(podHours),
      ];
    }),
  );
