/**
 * Tests the judge of the crash test: plants bugs into real workers and demands that the checker finds each of
 * them within 100 faults, by every seed; jobs and runs without a bug must have no finding. BUGS=a,b for some
 * bugs, SEEDS=1,2,3, PARALLEL=2 hunts at once, LANES=12 bugs in one run, CONTROL=0 leaves the runs without any
 * bug out, MAX_FAULTS=16 gives up early.
 */
import "../show/closed-pipe.ts";
import { fork } from "node:child_process";
import { once } from "node:events";
import { printableLines } from "../show/terminal/printable.ts";
import { LANED_BUGS, LONE_BUGS } from "./crash-test/bugs/index.ts";
import { ALL_FAULTS, type Caught, type Hunt, hunt } from "./crash-test/hunt.ts";
import { openServices } from "./crash-test/services.ts";

/** Parts of a plan: most bugs need few faults; those that are left share the next part among fewer. */
const PARTS = [16, 34, 50];

const say = (line: string) => process.stdout.write(`${printableLines(line)}\n`);
const listOf = (text = "") => text.split(",").filter((one) => one !== "");
const whole = (name: string, fallback: number) => Number(process.env[name] || fallback);

/** A process of its own, since it carries all traffic of its services. */
interface Hunter {
  hunt(what: Hunt): Promise<Caught>;
  stop(): Promise<void>;
}

async function openHunter(): Promise<Hunter> {
  const child = fork(import.meta.filename, { env: { ...process.env, SELFCHECK_HUNTER: "1" } });
  const next = async () => {
    const [caught] = await Promise.race([once(child, "message"), once(child, "exit")]);
    if (typeof caught === "number" || caught === null) throw new Error("a hunter ended by itself");
    return caught as Caught;
  };
  await next();
  return {
    hunt(what) {
      child.send(what);
      return next();
    },
    async stop() {
      child.send("stop");
      await once(child, "exit");
    },
  };
}

async function huntAsTold(): Promise<void> {
  const services = await openServices(() => {});
  process.on("message", async (told: Hunt | "stop") => {
    if (told === "stop") {
      await services.stop();
      process.exit(0);
    }
    const failed = (error: unknown): Caught => ({
      found: [],
      falseAlarms: [`the hunt failed: ${error}`],
    });
    process.send?.(await hunt(services, told).catch(failed));
  });
  process.send?.({ found: [], falseAlarms: [] } satisfies Caught);
}

function chosenBugs(): string[] {
  const wanted = listOf(process.env.BUGS);
  const all = [...LANED_BUGS, ...LONE_BUGS];
  const unknown = wanted.filter((bug) => !all.includes(bug));
  if (unknown.length > 0) throw new RangeError(`no such bug: ${unknown.join(", ")}`);
  return wanted.length > 0 ? wanted : all;
}

/** Laned bugs share a run; those of one kind stand together in the list, and are apart here. */
function grouped(bugs: string[]): string[][] {
  const laned = bugs.filter((bug) => LANED_BUGS.includes(bug));
  const count = Math.ceil(laned.length / whole("LANES", 12));
  const groups = Array.from({ length: count }, (_, group) =>
    laned.filter((_bug, index) => index % count === group),
  );
  return [...groups, ...bugs.filter((bug) => LONE_BUGS.includes(bug)).map((bug) => [bug])];
}

async function main(): Promise<void> {
  const bugs = chosenBugs();
  const seeds = listOf(process.env.SEEDS || "1,2,3").map(Number);
  const foundAfter = new Map<string, number>();
  const keyOf = (bug: string, seed: number) => `${bug} ${seed}`;
  let falseAlarms = 0;
  const opened = Array.from({ length: whole("PARALLEL", 2) }, openHunter);
  const hunters = await Promise.all(opened);

  const note = ({ seed, from, faults }: Hunt, caught: Caught) => {
    for (const { bug, as } of caught.found) {
      foundAfter.set(keyOf(bug, seed), from + faults);
      say(`found  ${bug} (seed ${seed}, ${from + faults} faults): ${as}`);
    }
    falseAlarms += caught.falseAlarms.length;
    for (const alarm of caught.falseAlarms) say(`FALSE ALARM  (seed ${seed}) ${alarm}`);
  };
  for (let part = 0, from = 0; part < PARTS.length; from += PARTS[part++] as number) {
    if (from >= whole("MAX_FAULTS", ALL_FAULTS)) break;
    const faults = PARTS[part] as number;
    const hunts = seeds.flatMap((seed) => {
      const left = bugs.filter((bug) => !foundAfter.has(keyOf(bug, seed)));
      const groups = [...grouped(left), ...(process.env.CONTROL === "0" ? [] : [[]])];
      return groups.map((group): Hunt => ({ bugs: group, seed, from, faults }));
    });
    await Promise.all(
      hunters.map(async (hunter) => {
        for (let next = hunts.shift(); next; next = hunts.shift())
          note(next, await hunter.hunt(next));
      }),
    );
  }
  await Promise.all(hunters.map((hunter) => hunter.stop()));
  say(`\nfaults until found, by seed ${seeds.join(", ")}:`);
  const cell = (bug: string) => (seed: number) => foundAfter.get(keyOf(bug, seed)) ?? "MISSED";
  for (const bug of bugs) say(`  ${bug.padEnd(30)} ${seeds.map(cell(bug)).join("  ")}`);
  const missed = bugs.length * seeds.length - foundAfter.size;
  say(
    `crash-test-selfcheck: bugs=${bugs.length} seeds=${seeds.length} missed=${missed} false_alarms=${falseAlarms}`,
  );
  process.exit(missed === 0 && falseAlarms === 0 ? 0 : 1);
}

await (process.env.SELFCHECK_HUNTER ? huntAsTold() : main());
