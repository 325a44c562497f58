/**
 * GRANT: an operator lets a site write a shared class, all of it or one part. UNGRANT takes that
 * back: what the site wrote there counts as its logs stood at the ends that it names.
 */
import { z } from "zod";
import type { SiteId, StatementId } from "../ids.ts";
import { logHeadsField } from "../logs/log-head.ts";
import { classNameField } from "../logs/record-class.ts";
import { statementHeadFields } from "./statement-head.ts";
import { idField, textField } from "../encoding/wire-field.ts";

export const grantBody = z.object({
  ...statementHeadFields,
  kind: z.literal("GRANT"),
  site: idField<SiteId>(),
  /** A shared one; of a later version, maybe. */
  class: classNameField,
  /**
   * What a key has to have before its first slash: for `zone` the zone's name in lower case
   * without its last dot. Null: every key.
   */
  selector: textField(253, 1).nullable(),
});
export type GrantBody = z.output<typeof grantBody>;

export const ungrantBody = z.object({
  ...statementHeadFields,
  kind: z.literal("UNGRANT"),
  /** The GRANTs that end: all of one site and class. */
  ends: z.array(idField<StatementId>()).min(1).max(64),
  /** The last entry of each log of the class that counts under them. Logs not named do not. */
  heads: logHeadsField(),
});
export type UngrantBody = z.output<typeof ungrantBody>;
