/**
 * `services.ts up | down | status`: the services that stay between runs. `services.ts with -- command`
 * runs a command with their URLs, unless the environment names others.
 */
import "../show/closed-pipe.ts";
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import {
  dropServices,
  keepServices,
  readKept,
  runningKept,
  SERVICES_DIR,
  URLS_OF_SERVICE,
} from "../../shared/services/index.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { printableLines } from "../show/terminal/printable.ts";

const USAGE = "Usage: services.ts up|down|status [--native|--docker] | with -- command…";

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

/** On stdout, so that a shell can take them over: `set -a; eval "$(make -s services-status)"`. */
function printUrls(urls: Record<string, string>) {
  for (const [name, url] of Object.entries(urls)) console.log(`${name}=${url}`);
}

async function up(sources: string[]) {
  const startedAt = performance.now();
  const { state, started } = await keepServices(SERVICES_DIR, sources);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  say(
    started ? `Started (${state.source}) in ${seconds} s.` : `Running already (${state.source}).`,
  );
  printUrls(state.urls);
}

async function down() {
  const ended = await dropServices(SERVICES_DIR);
  say(ended.length > 0 ? `Ended: ${ended.join(", ")}. Their data is gone.` : "Nothing to end.");
}

async function status() {
  const state = await runningKept(SERVICES_DIR);
  if (state) {
    say(`Running (${state.source}).`);
    printUrls(state.urls);
  } else {
    const broken = readKept(SERVICES_DIR) !== undefined;
    say(broken ? "Partly down; `make services-up` starts it anew." : "Not running.");
    process.exitCode = 3; // As `service … status` does.
  }
}

/** Becomes the command as far as it can: same terminal, signals passed on, same exit status. */
async function runWith([file, ...args]: string[]) {
  if (file === undefined) throw new TypeError(USAGE);
  readDotEnv();
  const kept = (await runningKept(SERVICES_DIR))?.urls ?? {};
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const names of Object.values(URLS_OF_SERVICE)) {
    // A given broker does not get the kept one's management API.
    if (env[names[0]] || env[`${names[0]}_FILE`]) continue;
    for (const name of names) if (kept[name]) env[name] = kept[name];
  }
  const given = Object.values(URLS_OF_SERVICE).some(([name]) => env[name] || env[`${name}_FILE`]);
  if (!given)
    say("No services: run `make services-up`, or set AMQP_URL, DATABASE_URL and REDIS_URL.");
  const child = spawn(file, args, { stdio: "inherit", env });
  // Ctrl-C reaches the command by itself; it decides when to end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  child.on("error", (error) => {
    say(`${file}: ${error.message}`);
    process.exitCode = 127;
  });
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { native: { type: "boolean" }, docker: { type: "boolean" } },
});
const sources = values.native ? ["native"] : values.docker ? ["docker"] : ["docker", "native"];
switch (positionals[0]) {
  case "up":
    await up(sources);
    break;
  case "down":
    await down();
    break;
  case "status":
    await status();
    break;
  case "with":
    await runWith(positionals.slice(1));
    break;
  default:
    say(USAGE);
    process.exitCode = 2;
}
