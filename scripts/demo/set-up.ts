/** The services, with the fleet's queues and tables in them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ServiceUrls } from "./run.ts";

export interface DemoServices extends AsyncDisposable {
  urls: ServiceUrls;
  prefix: string;
}

/** Takes the services of the environment, or starts its own; then declares and migrates. */
export async function prepareServices(
  repository: string,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<DemoServices> {
  const { provideServices } = await import("../../shared/testing/services/index.ts");
  const services = await provideServices();
  throw new Error("todo");
}

async function runScript(
  script: string,
  repository: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
) {
  const child = spawn(process.execPath, [script], {
    cwd: repository,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${script} ended with code ${code}:\n${output}`);
}
