/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import activities from "./index.ts";
import { USUAL_UPDATES } from "./sample-changes.fixture.ts";

conformance({
  definition: activities,
  file: new URL("./index.ts", import.meta.url),
  job: { action: "record", input: (n) => USUAL_UPDATES[n % USUAL_UPDATES.length] },
});
