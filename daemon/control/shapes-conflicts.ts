/** What the routes of conflicts take and give: records of which several versions stand. */
import { z } from "zod";
import { RECORD_CLASSES } from "../../protocol/logs/record-class.ts";

const id = z.string().regex(/^[0-9a-f]{64}$/, "is not an identifier");

const conflict = z.object({
  class: z.enum(RECORD_CLASSES),
  key: z.string(),
  /** Two or more. The first is the one that is shown, or not shown when it deletes the record. */
  versions: z.array(
    z.object({
      id,
      siteId: id,
      /** Who wrote it; the start of its key when it is no member any more. */
      site: z.string(),
      /** When, by the writer's own clock; null when its entry is no longer kept here. */
      writtenAtMs: z.number().nullable(),
      deleted: z.boolean(),
      /** Null when it deletes the record. */
      value: z.unknown(),
    }),
  ),
  /** Whether this node may settle it. */
  mayKeep: z.boolean(),
});
export type ConflictInfo = z.infer<typeof conflict>;

/** `GET /v1/conflicts`. */
export const conflictsShape = z.object({ conflicts: z.array(conflict) });

/** Body of `POST /v1/conflicts/keep`: versions to keep, of one record each. */
export const keepRequest = z.strictObject({ versions: z.array(id).min(1).max(64) });
export const keptShape = z.object({
  kept: z.array(z.object({ class: z.string(), key: z.string() })),
});
