/** `make verify-images ENV=dev`: whether our workflow signed each image that an environment names, and its SBOM. */
import "../show/closed-pipe.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentNames, OVERLAYS } from "../kubernetes/read/environments.ts";
import { REPOSITORY } from "../repository.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { BadImageRequest } from "./image-set.ts";
import { imagesOf, SignatureFailed, verifyImage } from "./signatures.ts";

try {
  const { ENV = "" } = process.env;
  const environments = environmentNames(REPOSITORY);
  if (!environments.includes(ENV))
    throw new BadImageRequest(
      `ENV=${ENV} is no environment; there are ${environments.join(", ")}.`,
    );
  const images = imagesOf(
    readFileSync(join(REPOSITORY, OVERLAYS, ENV, "kustomization.yaml"), "utf8"),
  );
  for (const image of images) {
    verifyImage(image);
    console.log(`${image}: signed by us`);
  }
  console.log(`verify-images: env=${ENV} verified=${images.length}`);
} catch (error) {
  if (!(error instanceof BadImageRequest || error instanceof SignatureFailed)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = error instanceof BadImageRequest ? 2 : 1;
}
