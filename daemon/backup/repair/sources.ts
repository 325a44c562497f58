/** Who can give a group: linked sites that say to hold it in full, over lines that
 * carry copies at this hour; the owner's site comes last. */
import type { GroupFacts } from "../../core/backup/group-facts.ts";
import { coHolders } from "../../core/backup/holder-standing.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { Holder } from "../store/holder.ts";

export interface Sources {
  readonly holders: readonly SiteId[];
  /** Asked only for what no holder gives: its line is the one that is short. */
  readonly last: readonly SiteId[];
}

export function sourcesOf({ transport }: Holder, facts: GroupFacts): Sources {
  const links = transport.links();
  const isThere = (site: SiteId): boolean => {
    if (site === transport.self || !links.includes(site)) return false;
    return (transport.opensInMs?.(site, "repair") ?? 0) === 0;
  };
  return {
    holders: coHolders(facts).filter((site) => isThere(site) && facts.holding.has(site)),
    last: [facts.by].filter(isThere),
  };
}
