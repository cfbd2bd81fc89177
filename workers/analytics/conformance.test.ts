/** The suite that every worker passes. */
import { conformance } from "@tl-engine/shared/testing/conformance";
import worker from "./index.ts";

const at = (minute: number) => new Date(Date.UTC(2024, 0, 1, 0, minute)).toISOString();

conformance({
  definition: worker,
  file: new URL("./index.ts", import.meta.url),
  job: {
    action: "ingest",
    input: (n, workspaceId) => ({
      workspaceId,
      projectId: workspaceId,
      items: [
        {
          id: `item-${n % 20}`,
          createdAt: at(0),
          history: [{ at: at(n + 1), field: "points", from: n, to: n + 1 }],
        },
      ],
    }),
  },
});
