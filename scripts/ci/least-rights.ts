/** Jobs that may write, and why. All others read the sources, and no more. */

export const MAY_WRITE: Record<string, Record<string, string>> = {
  "images.yml/publish": {
    packages: "pushes the images and their signatures",
    "id-token": "is who signs",
    attestations: "writes the provenance down",
  },
  "images.yml/pin-dev": { contents: "what it calls, pin.yml/pin, needs it" },
  "pin.yml/pin": { contents: "pushes the commit that Argo CD follows" },
  "nightly.yml/trend": { contents: "pushes the line of the night to the branch trend" },
};
