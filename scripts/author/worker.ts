/** `make worker NAME=activities`: one worker in the foreground, on given services or on local ones. */
import "../show/closed-pipe.ts";
import { provideServices } from "../../shared/services/index.ts";
import { startWorkerProcess, workerArgs } from "../../shared/services/worker-process.ts";
import { readDotEnv } from "../operate/dot-env.ts";
import { REPOSITORY, SCHEDULER_DEFAULTS } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { workerFolders } from "../workers.ts";
import { declareTopology, runMigrations } from "./dev/prepare.ts";

const EXIT_MISUSED = 2;

const say = (line: string) => process.stderr.write(`${printableLines(line)}\n`);

async function main(name: string): Promise<number> {
  const known = await workerFolders();
  if (!known.includes(name)) {
    say(`NAME=${name} is no worker; there are: ${known.join(", ")}.`);
    return EXIT_MISUSED;
  }
  readDotEnv();
  const services = await provideServices();
  try {
    const env = { ...SCHEDULER_DEFAULTS, ...process.env, ...services.env() };
    const sources = Object.entries(services.sources);
    say(`services: ${sources.map(([service, source]) => `${service} (${source})`).join(", ")}`);
    // Given servers belong to somebody, who runs `make topology` and `make migrate`.
    if (services.sources.rabbitmq !== "environment") await declareTopology(env, say);
    if (services.sources.postgres !== "environment") await runMigrations(env, say);
    return await runInForeground(name, env);
  } finally {
    await services.stop();
  }
}

/** Ctrl-C reaches the worker by itself, as the terminal's foreground; other signals are passed on. */
async function runInForeground(name: string, env: NodeJS.ProcessEnv): Promise<number> {
  const worker = startWorkerProcess({
    args: workerArgs(`workers/${name}/index.ts`),
    cwd: REPOSITORY,
    env,
    output: "inherit",
  });
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => worker.signal("SIGTERM"));
  const { code, how } = await worker.ended;
  if (worker.pid === undefined) say(`${name} ended ${how}`);
  return code ?? 1;
}

process.exitCode = await main(process.env.NAME ?? "");
