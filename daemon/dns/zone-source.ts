/** What the DNS part reads of the state; filled in main.ts. */
import type { Authority } from "../core/authority/authority.ts";
import type { View } from "../core/logs/view.ts";
import type { CountedLog, CountedStatement } from "../core/zones/zone-serial.ts";

export interface ZoneSource {
  view(): View;
  authority(): Authority;
  /** The logs that count. */
  logHeads(): readonly CountedLog[];
  statements(): readonly CountedStatement[];
  /** Tells of every change of any of these, from now on. Returns what ends the telling. */
  onChange(listener: () => void): () => void;
}
