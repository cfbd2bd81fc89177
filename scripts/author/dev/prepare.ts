/** Makes broker and database ready for the workers as their code is now, each time in a process of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

type Say = (line: string) => void;

export const declareTopology = (env: NodeJS.ProcessEnv, say: Say) => run("topology", env, say);
export const runMigrations = (env: NodeJS.ProcessEnv, say: Say) => run("migrate", env, say);

/** Writes docs/contract and the client's types anew; says nothing where they are up to date. */
export const writeContract = (env: NodeJS.ProcessEnv, say: Say) =>
  run("contract", env, (line) => {
    if (!line.endsWith("up to date.")) say(line);
  });

const FOLDER_OF = { topology: "../../operate", migrate: "../../operate", contract: ".." };

/** Rejects when the command fails; what it says then is in the message. */
async function run(name: keyof typeof FOLDER_OF, env: NodeJS.ProcessEnv, say: Say): Promise<void> {
  const script = fileURLToPath(new URL(`${FOLDER_OF[name]}/${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", reject);
  child.on("close", resolve);
  if ((await promise) !== 0) throw new Error(`${name} failed: ${lastError(errors)}`);
  for (const line of output.trimEnd().split("\n")) say(line);
}

/** The line of a stack that says what is wrong. */
function lastError(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /^\w*(?:Error|Schema|Broker)\b.*: /.test(line)) ?? lines.join(" ⏎ ");
}
