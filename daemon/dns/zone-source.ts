/** What the DNS part reads of the state; filled in main.ts. */
import type { Authority } from "../core/authority/authority.ts";
import type { CountedLog } from "../core/logs/counted-log.ts";
import type { View } from "../core/logs/view.ts";
import type { SiteId } from "../../protocol/ids.ts";
import {
  othersHash,
  serialOffset,
  type CountedStatement,
  type Serials,
} from "../core/zones/zone-serial.ts";

export interface ZoneSource {
  /** Of this node. */
  readonly siteId: SiteId;
  view(): View;
  authority(): Authority;
  /** The logs that count. */
  logHeads(): readonly CountedLog[];
  statements(): readonly CountedStatement[];
  /** Tells of every change of any of these, from now on. Returns what ends the telling. */
  onChange(listener: () => void): () => void;
}

export function serialsOf(source: Pick<ZoneSource, "logHeads" | "statements">): Serials {
  const [logs, statements] = [source.logHeads(), source.statements()];
  return {
    serialOffset: serialOffset(logs, statements),
    othersHash: (author) => othersHash(logs, statements, author),
  };
}
