/** What an environment may cost, and the limits that its operator has set where things are paid for. */
import { z } from "zod";
import { BadFiles } from "../kubernetes/read/bad-files.ts";
import { readChecked } from "../kubernetes/read/checked-yaml.ts";
import { PRICE_FILE, type Prices } from "../kubernetes/read/prices.ts";

const positive = z.number().positive();

const Budget = z.strictObject({
  /** US dollars a month in the worst case: the cluster, and all other services together. */
  kubernetesUsd: positive,
  servicesUsd: positive,
  kubernetes: z.strictObject({
    /** Whether the provider's free tier pays for this cluster's fee; one cluster of an account has it. */
    freeTier: z.boolean(),
    nodes: z
      .strictObject({
        /** What is paid for. */
        vcpus: positive,
        memoryGib: positive,
        /** What is left of it for pods. */
        podCpu: positive,
        podMemoryGib: positive,
        min: z.int().nonnegative(),
        max: z.int().positive(),
      })
      .refine(({ min, max }) => min <= max, { error: "min is more than max", path: ["min"] }),
  }),
  broker: z.strictObject({ plan: z.string() }),
  redis: z.strictObject({
    plan: z.string(),
    /** The database's budget, past which the provider refuses commands. */
    monthlyBudgetUsd: positive.optional(),
  }),
  postgres: z.strictObject({
    /** Upper end of the compute's autoscaling. */
    maxCu: positive,
    /** The project's quota of logical size. */
    maxStorageGb: positive,
    /** The restore window. */
    restoreDays: z.number().nonnegative(),
    /** RETENTION_DAYS of the workers. */
    retentionDays: z.int().min(2),
  }),
});
export type Budget = z.output<typeof Budget>;

export const budgetFile = (environment: string) => `manifests/overlays/${environment}/budget.yaml`;

/** Throws BadFiles: also for a plan without a price, and for one billed by use without a limit. */
export function readBudget(environment: string, prices: Prices): Budget {
  const file = budgetFile(environment);
  const { value: budget, source } = readChecked(file, Budget, "see the file of another overlay");
  const at = (path: string[], message: string, fix: string) => ({
    file,
    line: source.lineOf(path),
    rule: "plan",
    message,
    fix,
  });
  const problems = (["broker", "redis"] as const)
    .filter((service) => !(budget[service].plan in prices[service].plans))
    .map((service) =>
      at(
        [service, "plan"],
        `${service}.plan ${budget[service].plan} has no price`,
        `take one of ${Object.keys(prices[service].plans).join(", ")}, or add it to ${PRICE_FILE}`,
      ),
    );
  const redis = prices.redis.plans[budget.redis.plan];
  if (redis?.usdPer100kCommands && budget.redis.monthlyBudgetUsd === undefined)
    problems.push(
      at(
        ["redis", "plan"],
        `redis.plan ${budget.redis.plan} bills each command, and no limit is set`,
        "set the database's monthly budget at the provider and write it here as monthlyBudgetUsd",
      ),
    );
  if (problems.length > 0) throw new BadFiles(problems);
  return budget;
}
