/**
 * Signatures without keys: who signs is a workflow of GitHub at a tag, certified for ten minutes and written down in a
 * public log. `make sign-images` signs what was pushed and its SBOM; `make verify-images` asks before an overlay runs it.
 */
import { spawnSync } from "node:child_process";
import { parse } from "yaml";
import { BadImageRequest } from "./image-set.ts";
import { sbomOf } from "./pushed.ts";

/** cosign is missing or refused; the message says what it said. */
export class SignatureFailed extends Error {
  override readonly name = "SignatureFailed";
  readonly code = "signature_failed";
}

const ISSUER = "https://token.actions.githubusercontent.com";
/** The workflow that publishes, at a version's tag: no branch, no other workflow and no fork signs for us. */
export const SIGNER =
  "^https://github\\.com/tiendaleon/tl-engine/\\.github/workflows/images\\.yml@refs/tags/v[0-9]+\\.[0-9]+\\.[0-9]+[^/]*$";

function cosign(args: string[]): void {
  const { error, status, stderr } = spawnSync("cosign", args, { encoding: "utf8" });
  if (error)
    throw new SignatureFailed(
      "cosign is needed: https://docs.sigstore.dev/cosign/system_config/installation/",
      { cause: error },
    );
  if (status !== 0)
    throw new SignatureFailed(`cosign ${args[0]} ended with ${status}: ${stderr.trim()}`);
}

/** Signs an image, named by digest, and attests its SBOM. */
export function signImage({ name, image }: { name: string; image: string }): void {
  cosign(["sign", "--yes", image]);
  cosign(["attest", "--yes", "--type", "cyclonedx", "--predicate", sbomOf(name), image]);
}

/** @throws {SignatureFailed} unless our workflow signed the image, and its SBOM. */
export function verifyImage(image: string): void {
  const who = ["--certificate-oidc-issuer", ISSUER, "--certificate-identity-regexp", SIGNER];
  cosign(["verify", ...who, image]);
  cosign(["verify-attestation", "--type", "cyclonedx", ...who, image]);
}

/** The images of an overlay, by digest. Throws BadImageRequest when one has none. */
export function imagesOf(kustomization: string): string[] {
  const { images = [] } = parse(kustomization) as {
    images?: { name: string; newName?: string; digest?: string }[];
  };
  return images.map(({ name, newName, digest }) => {
    if (!digest)
      throw new BadImageRequest(`${name} has no digest: make pin-images ENV=… comes first.`);
    return `${newName ?? name}@${digest}`;
  });
}
