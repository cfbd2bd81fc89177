/**
 * Tests the judge of the crash test: plants bugs into real workers and demands that the checker finds each of
 * them within 100 faults, by every seed; jobs and runs without a bug must have no finding. BUGS=a,b for some
 * bugs, SEEDS=1,2,3, PARALLEL=2 hunts at once, CONTROL=0 leaves the runs without any bug out.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { LANED_BUGS, LONE_BUGS } from "./crash-test/bugs/index.ts";
import { type Found, type Hunt, hunt } from "./crash-test/hunt.ts";
import { openServices } from "./crash-test/services.ts";

type Told = { said: string } | { found: Found[]; falseAlarms: string[] };

/** Bugs that share a run, each in a lane of its own: more of them would leave each too few jobs. */
const LANES = Number(process.env.LANES ?? 7);
const say = (line: string) => process.stdout.write(`${line}\n`);
const listOf = (name: string) => (process.env[name] ?? "").split(",").filter((one) => one !== "");

function plan(): Hunt[] {
  const wanted = listOf("BUGS");
  const isWanted = (bug: string) => wanted.length === 0 || wanted.includes(bug);
  const unknown = wanted.filter((bug) => ![...LANED_BUGS, ...LONE_BUGS].includes(bug));
  if (unknown.length > 0) throw new RangeError(`no such bug: ${unknown.join(", ")}`);
  const laned = LANED_BUGS.filter(isWanted);
  const groups = Array.from({ length: Math.ceil(laned.length / LANES) }, (_, group) =>
    // Bugs of one kind stand together in the list; here they are apart.
    laned.filter((_bug, index) => index % Math.ceil(laned.length / LANES) === group),
  );
  groups.push(...LONE_BUGS.filter(isWanted).map((bug) => [bug]));
  const seeds = listOf("SEEDS").map(Number);
  const hunts = (seeds.length > 0 ? seeds : [1, 2, 3]).flatMap((seed) => [
    ...groups.map((bugs) => ({ bugs, seed })),
    ...(process.env.CONTROL === "0" ? [] : [{ bugs: [], seed }]),
  ]);
  return hunts;
}

/** In a process of its own, since it carries all traffic of its services: does the hunts that it is told of. */
async function huntAsTold(): Promise<void> {
  const services = await openServices(() => {});
  const tell = (told: Told) => process.send?.(told);
  process.on("message", async (told: Hunt | "stop") => {
    if (told === "stop") {
      await services.stop();
      process.exit(0);
    }
    try {
      tell(await hunt(services, told, (said) => tell({ said })));
    } catch (error) {
      tell({ found: [], falseAlarms: [`the hunt failed: ${error}`] });
    }
  });
  tell({ found: [], falseAlarms: [] });
}

async function main(): Promise<void> {
  const hunts = plan();
  const found: Found[] = [];
  const falseAlarms: string[] = [];
  const hunters = Array.from({ length: Number(process.env.PARALLEL ?? 2) }, async () => {
    const child = fork(import.meta.filename, { env: { ...process.env, SELFCHECK_HUNTER: "1" } });
    child.on("message", (told: Told) => {
      if ("said" in told) return say(told.said);
      for (const one of told.found) {
        const how = one.afterFaults === undefined ? "MISSED" : `found after ${one.afterFaults}`;
        say(`${how}  ${one.bug} (seed ${one.seed}): ${one.as}`);
      }
      for (const alarm of told.falseAlarms) say(`FALSE ALARM  ${alarm}`);
      found.push(...told.found);
      falseAlarms.push(...told.falseAlarms);
      child.send(hunts.shift() ?? "stop");
    });
    await once(child, "exit");
  });
  await Promise.all(hunters);
  const bugs = new Set(found.map(({ bug }) => bug));
  const missed = found.filter(({ afterFaults }) => afterFaults === undefined);
  table(found);
  say(
    `crash-test-selfcheck: bugs=${bugs.size} hunts=${found.length} missed=${missed.length} false_alarms=${falseAlarms.length}`,
  );
  process.exit(missed.length === 0 && falseAlarms.length === 0 && bugs.size > 0 ? 0 : 1);
}

/** For each bug, by seed: the faults after which it was found. */
function table(found: Found[]): void {
  const seeds = [...new Set(found.map(({ seed }) => seed))].sort((a, b) => a - b);
  say(`\nfaults until found, by seed ${seeds.join(", ")}:`);
  for (const [bug, hunts] of Map.groupBy(found, (one) => one.bug)) {
    const cells = seeds.map(
      (seed) => hunts.find((one) => one.seed === seed)?.afterFaults ?? "missed",
    );
    say(`  ${bug.padEnd(30)} ${cells.join("  ")}`);
  }
}

await (process.env.SELFCHECK_HUNTER ? huntAsTold() : main());
