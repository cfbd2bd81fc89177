/** What the handbook takes from the code, and where it stands. */
import type { WorkerDefinition } from "../../../shared/engine/define-worker.ts";
import { type Autoscaled, readEnvironmentFiles } from "../../cost/environment.ts";
import { readEngines } from "../../scaling/simulate/engines.ts";
import { loadWorkers } from "../../workers.ts";
import { connectionsTable } from "./connections-table.ts";
import { costTable } from "./cost-table.ts";
import { fleetTable } from "./fleet-table.ts";
import { loadTable } from "./load-table.ts";
import { topologyDiagram } from "./topology-diagram.ts";

export interface GeneratedPart {
  page: string;
  /** Of its marks, `<!-- name -->` and `<!-- /name -->`. */
  name: string;
  text: string;
}

/** An engine as the code defines it and as the environment scales it. */
export interface FleetEngine {
  definition: WorkerDefinition;
  scaled: Autoscaled;
}

/** Of `dev`: staging differs in a replica that it keeps. */
const ENVIRONMENT = "dev";
const ANALYSIS = "docs/meta/k8/ANALISIS_COMPLETO.md";

export async function generatedParts(): Promise<GeneratedPart[]> {
  const definitions = (await loadWorkers()).map(({ definition }) => definition);
  const { engines } = await readEnvironmentFiles(ENVIRONMENT);
  const fleet = definitions.flatMap((definition): FleetEngine[] => {
    const scaled = engines.find(({ group }) => group.name === definition.name);
    return scaled ? [{ definition, scaled }] : [];
  });
  return [
    {
      page: "docs/meta/rabbitmq/README.md",
      name: "topología",
      text: topologyDiagram(definitions),
    },
    { page: ANALYSIS, name: "flota", text: fleetTable(fleet) },
    { page: ANALYSIS, name: "cargas", text: loadTable(await readEngines()) },
    { page: ANALYSIS, name: "facturas", text: await costTable() },
    { page: "docs/infra/servicios.md", name: "conexiones", text: connectionsTable(fleet) },
  ];
}
