/** `make send NAME=activities ACTION=record FILE=job.json [WAIT=1]`: publishes jobs from a file, standard input, or an example. */
import "../show/closed-pipe.ts";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { connect, EngineError, JobFailed } from "@tl-engine/client";
import { linesOf } from "@tl-engine/shared/process/lines";
import type { Example } from "../../shared/engine/define-worker.ts";
import { printable } from "../show/terminal/printable.ts";
import { loadWorkers } from "../workers.ts";

/** Lines under way at once; reading waits while there are more. */
const IN_FLIGHT = 256;

const USAGE = `usage: make send NAME=activities ACTION=record FILE=job.json [WAIT=1]
FILE is one job's input as JSON; - or *.ndjson is one job a line.
EXAMPLE=1 in its place publishes the action's first example, as docs/contract shows it; 2 the second.`;

interface Options {
  name: string;
  action: string;
  /** Empty where an example is sent. */
  file: string;
  /** From 1; 0 is none. */
  example: number;
  wait: boolean;
}

function readOptions(): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { wait: { type: "boolean" } },
  });
  const { NAME = "", ACTION = "", FILE = "", EXAMPLE = "", WAIT = "" } = process.env;
  const [name = NAME, action = ACTION, file = FILE] = positionals;
  const wait = values.wait ?? !["", "0"].includes(WAIT);
  const example = file === "" ? Number(EXAMPLE) : 0;
  const isComplete = name && action && (file || (Number.isInteger(example) && example > 0));
  return isComplete ? { name, action, file, example, wait } : undefined;
}

/** Whose job an example is. */
const EXAMPLE_WORKSPACE = "acme";

/** The text of an engine's own example. */
async function exampleText({ name, action, example }: Options): Promise<string> {
  const found = (await loadWorkers()).find(({ definition }) => definition.name === name);
  const examples: readonly Example[] = found?.definition.actions[action]?.examples ?? [];
  const chosen = examples[example - 1];
  if (chosen === undefined)
    throw new Error(`EXAMPLE=${example}: ${name}.${action} has ${examples.length} examples`);
  return JSON.stringify(chosen.input(0, EXAMPLE_WORKSPACE));
}

/** The texts of the jobs: a whole file is one, of a stream each line. */
async function* readJobs(options: Options): AsyncGenerator<string> {
  const { file } = options;
  if (options.example > 0) {
    yield await exampleText(options);
    return;
  }
  if (file !== "-" && !file.endsWith(".ndjson")) {
    await using handle = await open(file);
    yield await handle.readFile("utf8");
    return;
  }
  await using handle = file === "-" ? undefined : await open(file);
  const input: Readable = handle?.createReadStream() ?? process.stdin;
  for await (const line of linesOf(input)) if (line.trim() !== "") yield line;
}

/** Where it is wrong, and what: the message alone says that an input breaks its schema. */
function placesOf({ message, details = [] }: JobFailed): string {
  const places = details
    .map(({ path, message: why }) => [path, message.includes(why) ? "" : why])
    .map((parts) => parts.filter((part) => part !== "").join(": "))
    .filter((place) => place !== "");
  return places.length === 0 ? "" : ` (${places.join("; ")})`;
}

function lineOf(error: unknown): string {
  if (error instanceof JobFailed)
    return printable(`${error.code}: ${error.message}${placesOf(error)}`);
  if (error instanceof EngineError) return printable(`${error.code}: ${error.message}`);
  return printable(error instanceof Error ? error.message : String(error));
}

async function main(options: Options): Promise<number> {
  const { name, action, wait } = options;
  await using client = await connect({
    // An empty variable is one that was not given.
    amqpUrl: process.env.AMQP_URL || "amqp://guest:guest@127.0.0.1:5672/%2Fengine",
    prefix: process.env.ENGINE_PREFIX || undefined,
    replyExchange: process.env.REPLY_EXCHANGE || undefined,
    appId: "send",
  });
  // Names come from the command line: the client itself checks them against the contract.
  const untyped = client as unknown as {
    send(...args: unknown[]): Promise<{ id: string }>;
    call(...args: unknown[]): Promise<unknown>;
  };
  const counts = { sent: 0, failed: 0 };
  const publish = async (text: string) => {
    const id = crypto.randomUUID();
    try {
      const input = JSON.parse(text);
      const run = wait ? untyped.call : untyped.send;
      const answer = await run.call(client, name, action, input, { id });
      console.log(wait ? `${id} ${printable(JSON.stringify(answer))}` : id);
      counts.sent++;
    } catch (error) {
      console.log(`${id} failed ${lineOf(error)}`);
      counts.failed++;
    }
  };
  const startedAt = performance.now();
  const running = new Set<Promise<void>>();
  for await (const text of readJobs(options)) {
    const job = publish(text).finally(() => running.delete(job));
    running.add(job);
    if (running.size >= IN_FLIGHT) await Promise.race(running);
  }
  await Promise.all(running);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(2);
  const done = wait ? "succeeded" : "confirmed";
  console.error(`send: ${done}=${counts.sent} failed=${counts.failed} seconds=${seconds}`);
  return counts.failed > 0 ? 1 : 0;
}

const options = readOptions();
if (!options) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await main(options);
  } catch (error) {
    console.error(lineOf(error));
    process.exitCode = 1;
  }
}
