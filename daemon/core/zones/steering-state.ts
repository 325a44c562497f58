/**
 * What the state says about services: where each is up, and what is answered when it is nowhere.
 *
 * A mark of a person counts more than the verdict of a site on its own service; before either, a
 * service is up. A pure function of the state, so nodes that hold the same answer alike.
 */
import {
  countLabels,
  labelKeys,
  parentName,
  parseDnsName,
  type DnsName,
} from "../../../protocol/dns/dns-name.ts";
import {
  MARK_PREFIX,
  markRecord,
  parseMarkKey,
  servicePolicyKey,
  servicePolicyRecord,
  VERDICT_PREFIX,
  verdictRecord,
  type MarkRecord,
  type ServicePolicyRecord,
  type ServiceState,
  type VerdictRecord,
} from "../../../protocol/dns/steering-record.ts";
import { ZONE_VIEWS } from "../../../protocol/dns/zone-view.ts";
import { toHex, type SiteId } from "../../../protocol/ids.ts";
import type { View } from "../logs/view.ts";
import { fallbackHere, zoneHere } from "./fallback-here.ts";
import type { Steering, WhenDown } from "./steering.ts";
import type { InventoryState } from "./zone-inventory.ts";

/** What was said of services, by service and site. */
export interface ServiceWords {
  mark(service: string, site: SiteId): MarkRecord | undefined;
  verdict(service: string, site: SiteId): VerdictRecord | undefined;
  policy(service: string): ServicePolicyRecord;
}

/** Reads the words as they are asked for; what has not the right form says nothing. */
export function serviceWords(view: View): ServiceWords {
  return {
    mark: (service, site) =>
      markRecord.safeParse(view.get("policy", `${MARK_PREFIX}${service}/${site}`)?.value).data,
    verdict: (service, site) =>
      verdictRecord.safeParse(view.get("note", VERDICT_PREFIX + service, site)?.value).data,
    policy: (service) =>
      servicePolicyRecord.safeParse(view.get("policy", servicePolicyKey(service))?.value).data ?? {
        whenDown: "all",
      },
  };
}

/** Whether answers may lead to a service, by what was said of it. */
export function stateOf(words: ServiceWords, service: string, site: SiteId): ServiceState {
  return words.mark(service, site)?.state ?? words.verdict(service, site)?.state ?? "up";
}

/** Reads what a view says, which does not change; later views are not seen through it. */
export function steeringOf(state: InventoryState): Steering {
  const { view, ownSite } = state;
  const down = downSites(view);
  const isUp = (service: string, site: SiteId): boolean => down.get(service)?.has(site) !== true;
  // Found as they are asked for: there may be many policies of services that nobody runs.
  const rules = new Map<string, WhenDown>();
  const whenDown = (service: string): WhenDown => {
    const rule = rules.get(service) ?? whenDownOf(service, state, isUp);
    rules.set(service, rule);
    return rule;
  };
  return {
    ownSite,
    isUp,
    whenDown,
    standing: (service) =>
      [...[...(down.get(service) ?? [])].toSorted(), ruleText(whenDown(service))].join("\n"),
  };
}

/** By service, the sites where it is down. */
function downSites(view: View): ReadonlyMap<string, ReadonlySet<SiteId>> {
  const words = serviceWords(view);
  const judged = [
    ...view.entries("policy", MARK_PREFIX).flatMap(({ key }) => parseMarkKey(key) ?? []),
    ...view
      .entries("note", VERDICT_PREFIX)
      .map(({ key, author }) => ({ service: key.slice(VERDICT_PREFIX.length), site: author })),
  ];
  const down = judged.filter(({ service, site }) => stateOf(words, service, site) === "down");
  return new Map(
    [...Map.groupBy(down, ({ service }) => service)].map(([service, its]) => [
      service,
      new Set(its.map(({ site }) => site)),
    ]),
  );
}

function whenDownOf(service: string, state: InventoryState, isUp: Steering["isUp"]): WhenDown {
  const policy = serviceWords(state.view).policy(service);
  if (policy.whenDown !== "fallback") return { kind: policy.whenDown };
  if (leadsBack(state.view, service)) return { kind: "all" };
  const name = parseDnsName(policy.name);
  const here = fallbackHere(
    name,
    state,
    ({ origin }) => origin.kind !== "service" || isUp(origin.service, origin.site),
  );
  return { kind: "fallback", name, here: (view) => here[view] };
}

/**
 * Whether the fallbacks of a service, followed from one to the next, come back to itself. Commands
 * refuse that, but two people may do it at once.
 *
 * @param words - Default: as the state has them.
 */
export function leadsBack(
  view: View,
  service: string,
  words: Pick<ServiceWords, "policy"> = serviceWords(view),
): boolean {
  const followed = new Set<string>();
  let at: string | undefined = service;
  while (at !== undefined && !followed.has(at)) {
    followed.add(at);
    const policy: ServicePolicyRecord = words.policy(at);
    at = policy.whenDown === "fallback" ? serviceAt(view, parseDnsName(policy.name)) : undefined;
  }
  return at === service;
}

/** The service that a name would be of: the label right above a zone of the mesh. */
function serviceAt(view: View, name: DnsName): string | undefined {
  if (countLabels(name) < 2) return undefined;
  const zone = zoneHere(view, name, { view: "lan" });
  const isAbove = zone !== undefined && zone.length === parentName(name).length;
  return isAbove ? labelKeys(name)[0] : undefined;
}

function ruleText(rule: WhenDown): string {
  if (rule.kind !== "fallback") return rule.kind;
  const here = ZONE_VIEWS.map(
    (view) =>
      rule.here(view)?.map(({ type, ttl, rdata }) => `${type} ${ttl} ${toHex(rdata)}`) ?? "-",
  );
  return `${toHex(rule.name)} ${JSON.stringify(here)}`;
}
