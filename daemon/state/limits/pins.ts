/**
 * Places in logs that open suspensions and ended rights name.
 *
 * What is shown may hang on them, so such logs stay in the digests when others have taken them up,
 * and nothing that leads up to these places is ever pruned.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { Authority } from "../../core/authority.ts";

/** The places of one log, none twice, ascending. */
export function pinsOf(
  { endedGrants, suspensions }: Authority,
  author: SiteId,
  log: LogId,
): readonly number[] {
  if (endedGrants.length + suspensions.length === 0) return [];
  const granted = endedGrants.flatMap(({ site, heads }) =>
    site === author ? (heads.get(log)?.seq ?? []) : [],
  );
  const suspended = suspensions
    .filter(({ key }) => key === author)
    .flatMap(({ logs }) => logs.filter((each) => each.log === log).map(({ seq }) => seq));
  return [...new Set([...granted, ...suspended])].toSorted((a, b) => a - b);
}
