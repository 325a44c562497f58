/**
 * ACK: a site says which epoch it holds effective. Its daemon signs it by itself, once for each n.
 *
 * It stands in no chain: a box that was put back to an older image must be able to sign it again
 * with the same bytes.
 */
import { z } from "zod";
import type { MeshId, SiteId, StatementId } from "../ids.ts";
import { countField, idField } from "../encoding/wire-field.ts";

export const ackBody = z.object({
  v: z.literal(1),
  kind: z.literal("ACK"),
  mesh: idField<MeshId>(),
  by: idField<SiteId>(),
  n: countField(1, 1_000_000),
  epoch: idField<StatementId>(),
});
export type AckBody = z.output<typeof ackBody>;
