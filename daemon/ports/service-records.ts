/** Marks, policies and verdicts on the real state, and what is said of each service, for people. */
import { parseId, type SiteId } from "../../protocol/ids.ts";
import type { ServiceWordsInfo } from "../control/shapes-services.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { View } from "../core/logs/view.ts";
import { markKey, verdictKey } from "../../protocol/dns/steering-record.ts";
import { serviceWords, stateOf } from "../core/zones/steering-state.ts";
import type { KnownSite, ServiceRecords } from "../inventory/service-records.ts";
import type { State } from "../state/state.ts";

/**
 * @param write - Records of this site; refused on a full disk.
 * @param served - Resolves when names are answered by what was written.
 */
export function serviceRecords(
  state: State,
  write: State["write"],
  served: () => Promise<void>,
): ServiceRecords {
  return {
    siteId: state.siteId,
    view: () => state.view(),
    site: (text) => knownSite(state.authority(), text),
    siteNames: () => [...state.authority().sites.values()].map(({ name }) => name).toSorted(),
    mayWrite: (key) => state.authority().mayWrite(state.siteId, "policy", key),
    write: async (change) => {
      await write([change]);
    },
    served,
  };
}

function knownSite(authority: Authority, text: string): KnownSite | undefined {
  const id = parseId<SiteId>(text);
  const member = id === undefined ? authority.siteNamed(text) : authority.sites.get(id);
  if (member !== undefined) return { siteId: member.siteId, name: member.name, isMember: true };
  const ended = [...authority.endedSites.values()].filter(
    ({ siteId, name }) => siteId === id || name === text,
  );
  const [only, ...more] = ended;
  if (only === undefined || more.length > 0) return undefined;
  return { siteId: only.siteId, name: only.name, isMember: false };
}

/** What is said of a service at a site, with who said it. */
export function wordsAbout(
  view: View,
  authority: Authority,
  service: string,
  site: SiteId,
): ServiceWordsInfo {
  const words = serviceWords(view);
  const mark = words.mark(service, site);
  const by = view.get("policy", markKey(service, site))?.author;
  const verdict = words.verdict(service, site);
  const policy = words.policy(service);
  return {
    state: stateOf(words, service, site),
    mark:
      mark === undefined
        ? null
        : { state: mark.state, text: mark.text ?? null, by: siteName(authority, by) },
    verdict:
      verdict === undefined || view.get("note", verdictKey(service), site) === undefined
        ? null
        : { state: verdict.state, sinceMs: verdict.sinceMs, text: verdict.text ?? null },
    whenDown: policy.whenDown,
    fallback: policy.whenDown === "fallback" ? policy.name : null,
  };
}

function siteName(authority: Authority, site: SiteId | undefined): string | null {
  if (site === undefined) return null;
  const known = authority.sites.get(site) ?? authority.endedSites.get(site);
  return known?.name ?? site.slice(0, 8);
}
