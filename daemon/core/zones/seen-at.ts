/** Which records are seen where: the places of records, ordered by how few see them. */
import { ZONE_VIEWS, type ViewPlace } from "../../../protocol/dns/zone-view.ts";

/** Higher for a place that fewer see: that of one site above the view that it is of. */
export function narrowness({ view, site }: ViewPlace): number {
  return ZONE_VIEWS.indexOf(view) * 2 + (site === undefined ? 0 : 1);
}

/**
 * Whether all who see the records of `place` may see those of `of`, too: it is the same place or a
 * less specific one. Whether they do depends on what else stands there.
 */
export function isSeenAt(of: ViewPlace, place: ViewPlace): boolean {
  const [from, to] = [ZONE_VIEWS.indexOf(of.view), ZONE_VIEWS.indexOf(place.view)];
  return from <= to && (of.site === undefined || of.site === place.site);
}
