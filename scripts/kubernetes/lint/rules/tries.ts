/** What is for tries alone stays out of the environments. */
import { textIn, valueAt } from "../../read/value-at.ts";
import { type Rule, settingOf } from "../world.ts";

/** The label of what only `make try-cluster` may apply. */
export const ONLY_FOR_TRIES = "tl-engine/only-for";

/** A try kills pods and removes the namespace at its end. */
const MAY_BE_TRIED = ["dev"];

const onlyForTries: Rule = {
  name: "only-for-tries",
  reason:
    "servers without a volume lose every job with their pod, and a try removes the namespace that it was made in",
  check(world, report) {
    for (const object of world.objects)
      if (textIn(object, ["metadata", "labels", ONLY_FOR_TRIES]) !== "")
        report(
          object.placeOf([]),
          `${object.kind} ${object.name} is for tries, and the overlay ${world.environment} has it`,
          "take it out of the overlay: make try-cluster applies it by itself",
        );
    const environment = settingOf(world, "ENGINE_ENV") || world.environment;
    const names = [world.environment, environment];
    const path = ["allowsTries"];
    if (
      world.target &&
      valueAt(world.target, path) === true &&
      names.some((name) => !MAY_BE_TRIED.includes(name))
    )
      report(
        world.target.placeOf(path),
        `${world.environment} allows tries, which kill its pods and remove its namespace`,
        `take it out: tries are for ${MAY_BE_TRIED.join(", ")}`,
      );
  },
};

export const TRY_RULES: Rule[] = [onlyForTries];
