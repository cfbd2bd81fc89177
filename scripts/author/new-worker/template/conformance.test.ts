/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import worker from "./index.ts";

// Its jobs come from the first action's schema; give `job` where they would not do.
conformance({ definition: worker, file: new URL("./index.ts", import.meta.url) });
