/** A Secret gets the keys that its pods read, and no other that the store happens to have. */
import { listIn, textIn, valueAt } from "../../read/value-at.ts";
import { secretTemplates, TEMPLATE, wantedKeys } from "../secret-templates.ts";
import { ofKind, type Rule } from "../world.ts";

const secretKeys: Rule = {
  name: "secret-keys",
  reason:
    "each key of a Secret is a variable of its pod, and a stray NODE_OPTIONS in the store would run whatever it says",
  check(world, report) {
    const templates = secretTemplates(world);
    for (const object of ofKind(world, "ExternalSecret")) {
      if (valueAt(object, ["spec", "dataFrom"]) !== undefined)
        report(
          object.placeOf(["spec", "dataFrom"]),
          `the ExternalSecret ${object.name} takes whatever keys the store has`,
          "name each of them under data:, with secretKey and remoteRef",
        );
      const name = textIn(object, ["spec", "target", "name"]) || object.name;
      const template = templates.find((secret) => secret.name === name);
      if (!template) continue;
      const wanted = wantedKeys(world, template);
      const given = listIn(object, ["spec", "data"]).map((_, index) =>
        textIn(object, ["spec", "data", index, "secretKey"]),
      );
      for (const [index, key] of given.entries())
        if (!wanted.includes(key))
          report(
            object.placeOf(["spec", "data", index, "secretKey"]),
            `nothing reads the key ${key} of the Secret ${name}`,
            `it has ${wanted.join(", ")} (${TEMPLATE})`,
          );
      const missing = wanted.filter((key) => !given.includes(key));
      if (missing.length > 0)
        report(
          object.placeOf(["spec", "data"]),
          `the ExternalSecret ${object.name} leaves out ${missing.join(", ")}`,
          `add it, as ${TEMPLATE} has it`,
        );
    }
  },
};

export const SECRET_RULES: Rule[] = [secretKeys];
