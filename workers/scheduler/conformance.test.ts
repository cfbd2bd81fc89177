/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import worker from "./index.ts";

conformance({ definition: worker, file: new URL("./index.ts", import.meta.url) });
