/** What marks, verdicts and policies have to do with the answer for a name, in sentences. */
import { markKey } from "../../protocol/dns/steering-record.ts";
import type { ZoneView } from "../../protocol/dns/zone-view.ts";
import type { SiteId } from "../../protocol/ids.ts";
import type { View } from "../core/logs/view.ts";
import { linesShown } from "../core/zones/name-lines.ts";
import { serviceWords, stateOf, type ServiceWords } from "../core/zones/steering-state.ts";
import { steeredService } from "../core/zones/steering.ts";
import type { ZoneName } from "../core/zones/zone.ts";

export interface SiteNames {
  readonly ownSite: SiteId;
  /** Undefined for a site that is no member any more. */
  siteName(siteId: SiteId): string | undefined;
}

/** One for each site that runs a service of this name, and one for a service that is up nowhere. */
export function steeringReasons(
  name: ZoneName,
  zoneView: ZoneView,
  state: View,
  sites: SiteNames,
): readonly string[] {
  const words = serviceWords(state);
  const services = new Map<string, Set<SiteId>>();
  for (const line of linesShown(name, zoneView, sites.ownSite)) {
    const service = steeredService(line);
    if (service === undefined || line.origin.kind !== "service") continue;
    services.set(service, (services.get(service) ?? new Set()).add(line.origin.site));
  }
  return [...services].flatMap(([service, its]) => {
    const at = [...its];
    const reasons = at.map((site) => reasonAt(service, site, words, state, sites));
    const isDown = at.every((site) => stateOf(words, service, site) === "down");
    return isDown ? [...reasons, policyReason(service, words)] : reasons;
  });
}

function reasonAt(
  service: string,
  site: SiteId,
  words: ServiceWords,
  state: View,
  sites: SiteNames,
): string {
  const nameOf = (id: SiteId): string => sites.siteName(id) ?? id.slice(0, 8);
  const what = `${service} at ${nameOf(site)}`;
  const mark = words.mark(service, site);
  if (mark !== undefined) {
    const author = state.get("policy", markKey(service, site))?.author;
    const by = author === undefined ? "" : ` at ${nameOf(author)}`;
    return `${what} was marked ${mark.state} by a person${by}${because(mark.text)}.`;
  }
  const verdict = words.verdict(service, site);
  if (verdict === undefined) return `${what} counts as up: nobody has said otherwise.`;
  const since = new Date(verdict.sinceMs).toISOString().slice(0, 16).replace("T", " ");
  const checks = `its site's checks say so since ${since} UTC, by that site's clock`;
  return `${what} is ${verdict.state}: ${checks}${because(verdict.text)}.`;
}

/** In quotes of their own, so that a member's words do not go on with the sentence. */
function because(text: string | undefined): string {
  return text === undefined ? "" : ` (${JSON.stringify(text)})`;
}

function policyReason(service: string, words: ServiceWords): string {
  const policy = words.policy(service);
  const start = `${service} is up at none of these sites, and its policy is`;
  switch (policy.whenDown) {
    case "all":
      return `${start} to answer with all of them.`;
    case "none":
      return `${start} to answer with none.`;
    case "fallback":
      return `${start} to lead to ${policy.name}.`;
  }
}
