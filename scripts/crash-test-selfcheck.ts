/**
 * Tests the judge of the crash test: plants a bug after another into real workers and demands that
 * the checker catches it; without the bug, the same run must pass. BUGS=a,b for some of them;
 * CONTROL=0 leaves the runs without a bug out.
 */
import type { Finding } from "./crash-test/checker.ts";
import { SCENARIOS, type Scenario } from "./crash-test/scenarios.ts";
import { type CrashServices, openServices } from "./crash-test/services.ts";
import { openStage } from "./crash-test/stage.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);
const SEED = 1;
/** A lost job never comes: there is no use in waiting long for rest where a bug is planted. */
const REST_TIMEOUT_MS = { bug: 15_000, control: 90_000 };

async function play(
  services: CrashServices,
  { bug, workers, deliveryLimit, play: script }: Scenario,
  isPlanted: boolean,
): Promise<Finding[]> {
  const stage = await openStage({
    services,
    seed: SEED,
    workers,
    faults: 1,
    jobs: 0,
    folder: `selfcheck-${isPlanted ? bug : `control-${bug}`}`,
    say: () => {},
    ...(isPlanted ? { bug } : {}),
    ...(isPlanted && deliveryLimit !== undefined ? { deliveryLimit } : {}),
  });
  try {
    await script(stage.context);
    const { findings } = await stage.finish(REST_TIMEOUT_MS[isPlanted ? "bug" : "control"]);
    return findings;
  } finally {
    await stage.close();
  }
}

const describe = ({ rule, category, message }: Finding) => `${category} (rule ${rule}): ${message}`;

const wanted = (process.env.BUGS ?? "").split(",").filter((name) => name !== "");
const scenarios = SCENARIOS.filter(({ bug }) => wanted.length === 0 || wanted.includes(bug));
const hasControls = process.env.CONTROL !== "0";
let caught = 0;
let falseAlarms = 0;

const services = await openServices(say);
try {
  for (const scenario of scenarios) {
    const found = await play(services, scenario, true);
    const right = found.find(({ category }) => scenario.caughtAs.includes(category));
    if (right) caught++;
    say(
      `${right ? "caught" : "MISSED"}  ${scenario.bug}: ${right ? describe(right) : `found ${found.map(describe).join("; ") || "nothing"}`}`,
    );
    if (!hasControls) continue;
    const alarms = await play(services, scenario, false);
    if (alarms.length === 0) continue;
    falseAlarms++;
    say(`  FALSE ALARM without the bug: ${alarms.slice(0, 3).map(describe).join("; ")}`);
  }
} finally {
  await services.stop();
}
say(`crash-test-selfcheck: bugs=${scenarios.length} caught=${caught} false_alarms=${falseAlarms}`);
process.exit(caught === scenarios.length && falseAlarms === 0 ? 0 : 1);
