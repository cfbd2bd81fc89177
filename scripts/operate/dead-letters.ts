/**
 * Shows the jobs that ended without success, and runs them again: `dead-letters.ts [list]` and
 * `dead-letters.ts replay`, told by NAME, LIMIT, ID, ALL, CODE, TYPE, SINCE and DRY_RUN in the environment.
 */
import "../show/closed-pipe.ts";
import { setTimeout as sleep } from "node:timers/promises";
import { brokerUserOf } from "@tl-engine/shared/broker/address";
import { type Connection, openFirstConnection } from "@tl-engine/shared/broker/connection";
import { openPublisher, type Publisher } from "@tl-engine/shared/broker/publish";
import { createLog } from "@tl-engine/shared/process/log";
import { StartFailure } from "@tl-engine/shared/process/start-failure";
import { type BrokerNames, BURIALS, brokerNames } from "@tl-engine/shared/wire/names";
import { printable, printableLines } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";
import { listLetters } from "./dead-letters/list.ts";
import { linesOfLetters, linesOfReplayed, linesOfUnrouted } from "./dead-letters/print.ts";
import { replayLetters } from "./dead-letters/replay.ts";
import {
  BadSelection,
  type Given,
  readSelection,
  type Selection,
} from "./dead-letters/selection.ts";
import { listUnrouted, replayUnrouted, UNROUTED } from "./dead-letters/unrouted.ts";
import { readEnvironment } from "./environment.ts";

const DEFAULT_LIMIT = 20;

/** What each of the actions works on. */
interface Broker {
  connection: Connection;
  publisher: Publisher;
  names: BrokerNames;
  runtimeUsers: ReadonlySet<string>;
}

const say = (lines: string[]) => {
  for (const line of lines) console.log(printable(line));
};

/** @param places engines, or `unrouted`. */
async function showDeadLetters(
  { connection, publisher, names }: Broker,
  { places, limit }: { places: string[]; limit: number },
): Promise<void> {
  for (const place of places) {
    if (place === UNROUTED)
      say(linesOfUnrouted(await listUnrouted(connection, { names, limit }), Date.now()));
    else {
      const listed = await listLetters(connection, publisher, { engine: place, names, limit });
      say(linesOfLetters(place, listed, Date.now()));
    }
  }
}

/** @returns whether the job that was named is there. */
async function replayDeadLetters(
  { connection, publisher, names, runtimeUsers }: Broker,
  { place, selection, dryRun }: { place: string; selection: Selection; dryRun: boolean },
): Promise<boolean> {
  const common = { names, selection, dryRun };
  const replayed =
    place === UNROUTED
      ? await replayUnrouted(connection, publisher, { ...common, runtimeUsers })
      : await replayLetters(connection, publisher, { ...common, engine: place });
  say(linesOfReplayed(place, replayed, dryRun));
  const { id } = selection;
  const seen = replayed.replayed.length + replayed.left.length;
  if (id === undefined || seen + Object.keys(replayed.unnamed).length > 0) return true;
  console.error(printable(`No such dead letter of ${place} has the id ${id}.`));
  return false;
}

/** NAME, which must be an engine's or `unrouted`; all of them where it is left out and may be. */
async function chosenPlaces({ NAME: name = "" }: Given, mustBeOne: boolean): Promise<string[]> {
  const engines = (await loadWorkers()).map(({ definition }) => definition.name);
  const places = [...engines, UNROUTED];
  if (name === "" && !mustBeOne) return places;
  if (places.includes(name)) return [name];
  throw new BadSelection(`NAME=${name} is no engine; there are: ${places.join(", ")}.`);
}

const isOn = (text = "") => text !== "" && text !== "0";

type Action = (broker: Broker) => Promise<boolean>;

async function listAction(env: Given): Promise<Action> {
  const limit = Number(env.LIMIT || DEFAULT_LIMIT);
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new BadSelection("LIMIT must be a whole number.");
  const places = await chosenPlaces(env, false);
  return async (broker) => {
    await showDeadLetters(broker, { places, limit });
    return true;
  };
}

async function replayAction(env: Given): Promise<Action> {
  const selection = readSelection(env, Date.now());
  const isNarrow = Object.values(selection).some((part) => part !== undefined);
  if (selection.id !== undefined && isOn(env.ALL))
    throw new BadSelection("ID is one letter and ALL=1 is every one: leave one of them out.");
  if (!isNarrow && !isOn(env.ALL))
    throw new BadSelection(
      "Say which letters: ID=job-id, CODE=…, TYPE=…, SINCE=2h, several of these, or ALL=1.",
    );
  const [place = ""] = await chosenPlaces(env, true);
  if (place === BURIALS)
    throw new BadSelection("Letters of burials belong to no engine, so nothing can run them.");
  if (place === UNROUTED && selection.codes !== undefined)
    throw new BadSelection("CODE means nothing here: what reached no engine has no error yet.");
  return (broker) => replayDeadLetters(broker, { place, selection, dryRun: isOn(env.DRY_RUN) });
}

async function withBroker(action: Action): Promise<boolean> {
  const config = readEnvironment({
    AMQP_URL: true,
    AMQP_HEARTBEAT_S: true,
    BROKER_PROFILE: true,
    ENGINE_PREFIX: true,
    TOOLS_USER: true,
    LOG_LEVEL: true,
  });
  const names = brokerNames(config.ENGINE_PREFIX);
  const runtimeUsers = new Set([config.TOOLS_USER, brokerUserOf(config.AMQP_URL)]);
  const connection = await openFirstConnection(config, "dead letters");
  const publisher = await openPublisher(
    { ...config, WORKER_ID: String(process.pid) },
    "dead letters",
    createLog({}, config.LOG_LEVEL === "info" ? "warn" : config.LOG_LEVEL),
  );
  try {
    return await action({ connection, publisher, names, runtimeUsers });
  } finally {
    await Promise.race([publisher.close(), sleep(2_000)]);
    await connection.model.close().catch(() => {});
  }
}

async function main(verb: string, env: Given): Promise<number> {
  try {
    switch (verb) {
      case "list":
        return (await withBroker(await listAction(env))) ? 0 : 1;
      case "replay":
        return (await withBroker(await replayAction(env))) ? 0 : 1;
      default:
        throw new BadSelection("Usage: make dead-letters, make replay (see make help)");
    }
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    if (error instanceof BadSelection) {
      console.error(printable(message));
      return 2;
    }
    if (code === 404) {
      console.error(printable(`${message}: run make topology against this broker first.`));
      return 2;
    }
    if (!(error instanceof StartFailure)) throw error;
    console.error(printableLines(message));
    return error.temporary ? 1 : 2;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv[2] ?? "list", process.env);
