/** The node's disk, which a pod fills with its log and what it writes outside of volumes. */
import { quantity } from "../../read/quantity.ts";
import { listIn, valueAt } from "../../read/value-at.ts";
import { eachContainer, ofKind, type Rule } from "../world.ts";

const RESOURCE = "ephemeral-storage";

const ephemeralStorage: Rule = {
  name: "ephemeral-storage",
  reason: "a pod that fills the node's disk with its log gets every other pod there evicted",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      for (const field of ["requests", "limits"])
        if (valueAt(object, [...path, "resources", field, RESOURCE]) === undefined)
          report(
            object.placeOf([...path, "resources", field]),
            `${title} states no ${RESOURCE} under ${field}`,
            "state it",
          );
      const [requested, limit] = ["requests", "limits"].map((field) =>
        quantity(valueAt(object, [...path, "resources", field, RESOURCE])),
      );
      if (requested !== undefined && limit !== undefined && requested > limit)
        report(
          object.placeOf([...path, "resources", "requests", RESOURCE]),
          `${title} requests more than it may use`,
          "lower the request, or raise the limit",
        );
    });
    for (const range of ofKind(world, "LimitRange"))
      for (const index of listIn(range, ["spec", "limits"]).keys())
        for (const field of ["defaultRequest", "default", "max"]) {
          const path = ["spec", "limits", index, field];
          if (valueAt(range, [...path, RESOURCE]) === undefined)
            report(
              range.placeOf(path),
              `the LimitRange ${range.name} has no ${RESOURCE} under ${field}`,
              "state it, for pods that someone makes by hand",
            );
        }
  },
};

export const STORAGE_RULES: Rule[] = [ephemeralStorage];
