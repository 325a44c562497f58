/**
 * Which sites may hold a copy at all: the owner's rules and the conditions of the holder.
 *
 * Rules about countries need to know one: a site that does not say where it is, or says letters
 * that name no country, fits none of them.
 */
import { isCountry } from "../../../protocol/country.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import type { PlacementRules } from "../../../protocol/logs/record.ts";

/**
 * Why a site may not hold a copy.
 *
 * - `holder`: the owner names holders, and this is none of them.
 * - `country`: it is where the owner wants no copy.
 * - `no-country`: there is a rule, and it does not say where it is.
 * - `lending`: it lends nothing, or nothing to this owner.
 * - `room`: what it lends to this owner is used up. Whoever has the copy already keeps it.
 */
export type Bar = "holder" | "country" | "no-country" | "lending" | "room";

export interface BarredSite {
  readonly siteId: SiteId;
  readonly domains: { readonly country: string };
  readonly lends: boolean;
  readonly freeBytes: number;
}

/** Undefined when nothing bars the site. @param sizeBytes - What is to be placed there. */
export function barOf(site: BarredSite, rules: PlacementRules, sizeBytes: number): Bar | undefined {
  const { allow, deny, holders } = rules;
  const { country } = site.domains;
  if (holders !== null && !holders.includes(site.siteId)) return "holder";
  if (allow.length + deny.length > 0) {
    if (!isCountry(country)) return "no-country";
    if (deny.includes(country)) return "country";
    if (allow.length > 0 && !allow.includes(country)) return "country";
  }
  if (!site.lends) return "lending";
  return site.freeBytes < sizeBytes ? "room" : undefined;
}
