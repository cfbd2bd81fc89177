/** `make render ENV=dev`: all objects of an environment as YAML on standard output. */
import "../show/closed-pipe.ts";
import { DeployError } from "./deploy/kubectl.ts";
import { render } from "./deploy/render.ts";
import { environmentOf } from "./deploy/target.ts";

try {
  const environment = environmentOf(process.env.ENV);
  const { yaml, objects } = render(environment);
  process.stdout.write(yaml);
  // Standard output is the YAML's alone.
  console.error(`render: env=${environment.name} objects=${objects.length}`);
} catch (error) {
  if (!(error instanceof DeployError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
