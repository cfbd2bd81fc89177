/** `make sign-images`: signs what `make images PUSH=1` pushed, and attests its SBOMs; on GitHub without any key. */
import "../show/closed-pipe.ts";
import { printableLines } from "../show/terminal/printable.ts";
import { BadImageRequest } from "./image-set.ts";
import { readPushed } from "./pushed.ts";
import { SignatureFailed, signImage } from "./signatures.ts";

try {
  const images = readPushed();
  for (const image of images) {
    signImage(image);
    console.log(`${image.image}: signed`);
  }
  console.log(`sign-images: signed=${images.length}`);
} catch (error) {
  if (!(error instanceof BadImageRequest || error instanceof SignatureFailed)) throw error;
  console.error(printableLines(error.message));
  process.exitCode = error instanceof BadImageRequest ? 2 : 1;
}
