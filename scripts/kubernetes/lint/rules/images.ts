/** Which image a pod runs, and when its node asks the registry for it. */
import { textIn } from "../../read/value-at.ts";
import { eachContainer, type Rule } from "../world.ts";

const imagePinned: Rule = {
  name: "image-pinned",
  reason: "git says what runs, and people read a version where a digest alone tells them nothing",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      const image = textIn(object, [...path, "image"]);
      const tag = /:([^/:@]+)$/.exec(image.split("@")[0] ?? "")?.[1];
      if (tag === undefined || tag === "latest")
        report(
          object.placeOf([...path, "image"]),
          `${title} runs ${image}, ${tag ? "which may be another one tomorrow" : "of no version"}`,
          "name its version as newTag under images: of each overlay",
        );
    });
  },
};

/** Of SHA-256, the one algorithm that registries use. */
const DIGEST = /@sha256:[0-9a-f]{64}$/;

const imageDigest: Rule = {
  name: "image-digest",
  reason: "a digest that is not of its form is found out by the node, at the start of a pod",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      const image = textIn(object, [...path, "image"]);
      if (image.includes("@") && !DIGEST.test(image))
        report(
          object.placeOf([...path, "image"]),
          `${title} runs ${image}, whose digest is not sha256: and 64 hexadecimal digits`,
          `let it be written: make pin-images ENV=${world.environment}`,
        );
    });
  },
};

const pullPolicy: Rule = {
  name: "pull-policy",
  reason:
    "a tag can be moved to another image, so each start asks for it; a digest can't, and asking costs a start time and the registry's favour",
  check(world, report) {
    eachContainer(world, ({ object }, path, title) => {
      const isPinned = textIn(object, [...path, "image"]).includes("@");
      const wanted = isPinned ? "IfNotPresent" : "Always";
      const given = textIn(object, [...path, "imagePullPolicy"]);
      if (given === wanted) return;
      report(
        object.placeOf([...path, "imagePullPolicy"]),
        `${title} runs ${isPinned ? "a digest" : "a tag without a digest"} with imagePullPolicy ${given || "of Kubernetes' choice"}`,
        isPinned
          ? "take unpinned-images out of the overlay's components"
          : `pin it (make pin-images ENV=${world.environment}), or list addons/unpinned-images among the overlay's components`,
      );
    });
  },
};

export const IMAGE_RULES: Rule[] = [imagePinned, imageDigest, pullPolicy];
