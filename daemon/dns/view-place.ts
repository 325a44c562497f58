/** The view, and where it is of one site only that site, that a person has named. */
import { PUBLIC_PLACE, ZONE_VIEWS, type ViewPlace } from "../../protocol/dns/zone-view.ts";
import { parseId, type SiteId } from "../../protocol/ids.ts";
import { DnsError } from "./error.ts";

export interface NamedPlace {
  /** Default: `public`. */
  readonly view?: string | undefined;
  /** Name or identifier, that of a site that has left, too. */
  readonly site?: string | undefined;
}

/**
 * @param sites - The members.
 * @throws DnsError (E-DNS-VIEW).
 */
export function placeNamed(
  { view: viewText, site }: NamedPlace,
  sites: ReadonlyMap<SiteId, { readonly name: string }>,
): ViewPlace {
  const view = ZONE_VIEWS.find((each) => each === (viewText ?? PUBLIC_PLACE.view));
  if (view === undefined) {
    const views = ZONE_VIEWS.join(", ");
    throw new DnsError("E-DNS-VIEW", `There is no view "${viewText}".`, {
      hint: `The views are ${views}, the least specific first.`,
      exit: 2,
    });
  }
  if (site === undefined) return { view };
  if (view !== "lan") {
    throw new DnsError("E-DNS-VIEW", "Only the view lan has records of one site.", {
      hint: `Give --view lan with --site ${site}, or leave --site out.`,
      exit: 2,
    });
  }
  const found = [...sites].find(([id, { name }]) => name === site || id === site)?.[0];
  const siteId = found ?? parseId<SiteId>(site);
  if (siteId !== undefined) return { view, site: siteId };
  const names = [...sites.values()].map(({ name }) => name).toSorted();
  throw new DnsError("E-DNS-VIEW", `There is no site "${site}" in this mesh.`, {
    hint: `Its sites: ${names.join(", ")}.`,
  });
}
