/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import activities from "./index.ts";

conformance({ definition: activities, file: new URL("./index.ts", import.meta.url) });
