/** What the logs of a site said when they stood at given heads. */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { ClassName } from "../../../protocol/logs/record-class.ts";
import type { LogEnd } from "../../core/authority/authority.ts";
import type { Candidate } from "../../core/logs/merge.ts";
import type { Documents } from "../documents.ts";
import type { HeldLog } from "../held-log.ts";
import { candidateOf, isBehind, judgeLogs, type Shelf } from "../shelf.ts";

/** All versions of one class that counted then, whatever the rights. Unnamed logs say nothing. */
export async function stoodAt(
  shelf: Shelf,
  documents: Documents,
  { site, class: name }: { readonly site: SiteId; readonly class: ClassName },
  heads: ReadonlyMap<LogId, LogEnd>,
): Promise<Candidate[]> {
  const stood: Candidate[] = [];
  for (const lineage of shelf.lineagesOf(name, site)) {
    const endOf = (held: HeldLog): number => endAt(held, heads.get(held.log));
    const { speaking } = judgeLogs(shelf.lineage(lineage), endOf);
    for (const { held, takenUp } of speaking) {
      const document = await documents.at(held, endOf(held));
      for (const [key, version] of document?.records ?? []) {
        if (isBehind(version, takenUp)) stood.push(candidateOf(held, key, version));
      }
    }
  }
  return stood;
}

/** The last entry of a log at or before a head; none when another branch is held. */
function endAt(held: HeldLog, head: LogEnd | undefined): number {
  if (head === undefined) return 0;
  if (held.shownSeq < head.seq) return held.shownSeq;
  return held.idAt(head.seq) === head.head ? head.seq : 0;
}
