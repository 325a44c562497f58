/**
 * LEAVE: a site ends its own key, at the ends of its logs that it names.
 */
import { z } from "zod";
import type { MeshId, SiteId } from "../ids.ts";
import { logHeadsField } from "../logs/log-head.ts";
import { idField } from "../encoding/wire-field.ts";

export const leaveBody = z.object({
  v: z.literal(1),
  kind: z.literal("LEAVE"),
  mesh: idField<MeshId>(),
  by: idField<SiteId>(),
  /** The last entry of each log that still counts. Logs not named do not. */
  heads: logHeadsField(),
});
export type LeaveBody = z.output<typeof leaveBody>;
