/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import worker from "./index.ts";

// Its jobs are the examples of its actions; without one they come from the first action's schema.
conformance({ definition: worker, file: new URL("./index.ts", import.meta.url) });
