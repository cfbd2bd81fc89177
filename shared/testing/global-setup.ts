/** Once per test run: provides the services, and puts their URLs into the environment of every test. */
import { provideServices } from "../services/index.ts";
import { watchFleets } from "./left-fleets.ts";

/**
 * TEST_SERVICES=none leaves them out, for a quick look at tests of pure code:
 * `make test TESTS=workers/analytics TEST_SERVICES=none`.
 */
export default async function setUp(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TEST_SERVICES === "none") return undefined;
  const startedAt = performance.now();
  const services = await provideServices({
    docker: "testcontainers",
    needs: ["rabbitmq", "postgres", "redis", "pgbouncer"],
  });
  // The test processes are started later and inherit it.
  Object.assign(process.env, services.env());
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const from = Object.entries(services.sources).map(([name, source]) => `${name} (${source})`);
  process.stdout.write(`Services: ${from.join(", ")}, in ${seconds} s.\n`);
  const removeLeft = watchFleets();
  return async () => {
    const left = await removeLeft();
    if (left.length > 0) process.stdout.write(`Removed fleets that were not closed: ${left}.\n`);
    await services.stop();
  };
}
