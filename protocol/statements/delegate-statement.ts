/**
 * DELEGATE: an owner says which site writes a data set. Signed by the owner's key O alone.
 *
 * The highest one in the owner's chain that names a set outright decides for that set. One
 * without a set covers every set that its site starts; several of those stand side by side,
 * one for each site of the owner.
 */
import { z } from "zod";
import type { ChainId, ListId, OwnerId, SetId, ShardId, SiteId } from "../ids.ts";
import { statementHeadFields } from "./statement-head.ts";
import { countField, idField } from "../encoding/wire-field.ts";

export const delegateBody = z.object({
  ...statementHeadFields,
  kind: z.literal("DELEGATE"),
  owner: idField<OwnerId>(),
  /** Null: every set that the site starts. */
  set: idField<SetId>(16).nullable(),
  site: idField<SiteId>(),
  /** How long a holder keeps a shard after the last list that named it, in days. */
  lockDays: countField(0, 36_500),
  /** The newest list of the site before this one, when the set changes hands. */
  lastList: idField<ListId>().nullable(),
  /** The newest snapshot head of the site before this one, when the set changes hands. */
  lastHead: z
    .object({ chain: idField<ChainId>(16), number: countField(0), root: idField<ShardId>() })
    .nullable(),
});
export type DelegateBody = z.output<typeof delegateBody>;
