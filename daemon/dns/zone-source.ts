/** What the DNS part reads of the state; filled in main.ts. */
import type { StatementId } from "../../protocol/ids.ts";
import type { Authority } from "../core/authority.ts";
import type { View } from "../core/view.ts";
import type { CountedLog } from "../core/zone-serial.ts";

export interface ZoneSource {
  view(): View;
  authority(): Authority;
  /** All logs ever seen, retired ones too. */
  logHeads(): readonly CountedLog[];
  statementIds(): readonly StatementId[];
  /** Tells of every change of any of these, from now on. Returns what ends the telling. */
  onChange(listener: () => void): () => void;
}
