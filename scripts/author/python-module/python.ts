/** Runs docs/contract/python/tl_engine.py in tests, under a Python that has kombu, against a fleet of theirs. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { forEachLine } from "@tl-engine/shared/process/lines";

export const MODULE_FOLDER = fileURLToPath(
  new URL("../../../docs/contract/python", import.meta.url),
);

// The system's comes second: another one may be first in the path, without the system's packages.
const found = ["python3", "/usr/bin/python3"].find(
  (python) => spawnSync(python, ["-c", "import kombu, pika, psycopg, redis"]).status === 0,
);
if (found === undefined)
  console.warn(
    "skipped: no Python with kombu, pika, psycopg and redis (apt-get install python3-kombu python3-pika python3-psycopg python3-redis)",
  );
export const hasPython = found !== undefined;

/** What every program begins with: `client(**options)`, `show(value)` as a line, `failure(ask)` as its error. */
const PRELUDE = `
import datetime, json, os, sys, threading, time
import tl_engine
from tl_engine import *

def client(**options):
    given = json.loads(os.environ["CLIENT"])
    return tl_engine.Client(**{**given, "on_trouble": lambda event, error: troubles.append(event), **options})

def show(value):
    # In one piece: print writes the line and its end apart, and threads show at once.
    sys.stdout.write(json.dumps(value, default=lambda it: getattr(it, "__dict__", str(it))) + "\\n")
    sys.stdout.flush()

def failure(ask):
    try:
        return {"returned": ask()}
    except tl_engine.EngineError as error:
        return {"name": type(error).__name__, **error.__dict__, "message": str(error)}

troubles = []
`;

/** A test that fails in the middle leaves none behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface Program {
  process: ChildProcess;
  /** The next line that it shows, in order. */
  next(): Promise<unknown>;
  /** A line for its `input()`. */
  tell(line?: string): void;
  /** What is left of its lines; throws with its stderr unless it ends well. */
  end(): Promise<unknown[]>;
}

/** @param options of the client; `amqp_url` among them. */
export function startPython(code: string, options: object): Program {
  const env = {
    ...process.env,
    PYTHONPATH: MODULE_FOLDER,
    PYTHONDONTWRITEBYTECODE: "1",
    CLIENT: JSON.stringify(options),
  };
  const child = spawn(String(found), ["-c", PRELUDE + code], { env, stdio: "pipe" });
  running.add(child);
  child.on("close", () => running.delete(child));
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  forEachLine(child.stdout, (line) => {
    const taker = waiting.shift();
    if (taker) taker(line);
    else lines.push(line);
  });
  const stderr = text(child.stderr);
  const ended = once(child, "close");
  const fail = async () => {
    const [status] = await ended;
    throw new Error(`Python ended with ${status}: ${await stderr}`);
  };
  return {
    process: child,
    async next() {
      const line = lines.shift();
      if (line !== undefined) return JSON.parse(line);
      const shown = new Promise<string>((resolve) => waiting.push(resolve));
      return JSON.parse(await Promise.race([shown, fail()]));
    },
    tell: (line = "") => child.stdin.write(`${line}\n`),
    async end() {
      const [status] = await ended;
      if (status !== 0) throw new Error(`Python ended with ${status}: ${await stderr}`);
      return lines.splice(0).map((line) => JSON.parse(line));
    },
  };
}

/** Runs it to its end; what it showed. */
export const runPython = (code: string, options: object) => startPython(code, options).end();
