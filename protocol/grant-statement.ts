/**
 * GRANT: an operator lets a site write a shared class, all of it or one part.
 */
import { z } from "zod";
import type { SiteId } from "./ids.ts";
import { classNameField } from "./record-class.ts";
import { statementHeadFields } from "./statement-head.ts";
import { idField, textField } from "./wire-field.ts";

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
