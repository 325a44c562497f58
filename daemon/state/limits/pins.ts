/**
 * Places in logs that open suspensions and ended rights name.
 *
 * What is shown may hang on them, so such logs stay in the digests when others have taken them up,
 * and nothing that leads up to these places is ever pruned.
 */
import type { LogId, SiteId } from "../../../protocol/ids.ts";
import type { Envelope } from "../../../protocol/logs/envelope.ts";
import type { Authority, LogEnd } from "../../core/authority/authority.ts";

/** The places of one log, none twice, ascending. */
export function pinsOf(
  { endedGrants, suspensions }: Authority,
  author: SiteId,
  log: LogId,
): readonly number[] {
  if (endedGrants.length + suspensions.length === 0) return [];
  const places = placesOf({ endedGrants, suspensions }, author, log);
  return [...new Set(places.map(({ seq }) => seq))].toSorted((a, b) => a - b);
}

/** Whether a statement names just this entry. */
export function isNamed(
  authority: Pick<Authority, "endedGrants" | "suspensions">,
  { id, log, header }: Pick<Envelope, "id" | "log" | "header">,
): boolean {
  const places = placesOf(authority, header.author, log);
  return places.some(({ seq, head }) => seq === header.seq && head === id);
}

function placesOf(
  { endedGrants, suspensions }: Pick<Authority, "endedGrants" | "suspensions">,
  author: SiteId,
  log: LogId,
): LogEnd[] {
  const granted = endedGrants.flatMap(({ site, heads }) =>
    site === author ? (heads.get(log) ?? []) : [],
  );
  const suspended = suspensions
    .filter(({ key }) => key === author)
    .flatMap(({ logs }) => logs.filter((each) => each.log === log));
  return [...granted, ...suspended];
}
