/** Services, peers and facts for the control socket, from state, links and presence. */
import type { SiteId } from "../../protocol/ids.ts";
import { serviceRecord } from "../../protocol/logs/record.ts";
import type { InventoryPort } from "../control/inventory-routes.ts";
import type { PeerInfo, ServiceInfo } from "../control/shapes-inventory.ts";
import type { Authority } from "../core/authority/authority.ts";
import type { View, ViewEntry } from "../core/logs/view.ts";
import { factsShape } from "../inventory/facts.ts";
import type { Inventory, OwnRecords } from "../inventory/inventory.ts";
import type { LinkDetail } from "../mesh/mesh-options.ts";
import type { Seen } from "../state/presence.ts";
import type { State } from "../state/state.ts";
import { wordsAbout } from "./service-records.ts";

export interface InventorySources {
  readonly state: State;
  readonly inventory: Inventory;
  readonly links: () => readonly LinkDetail[];
  readonly seen: () => readonly Seen[];
  /** Whether the state of a peer equals ours; undefined when it is not known. */
  readonly sameState: (peer: SiteId) => boolean | undefined;
  readonly version: string;
}

export function inventoryPort(sources: InventorySources): InventoryPort {
  const { state, inventory } = sources;
  return {
    services: () => services(state),
    addService: ({ service, replace }) => {
      const { zones, mesh, lan, ...rest } = service;
      const given = {
        ...rest,
        ...(mesh === undefined ? {} : { mesh }),
        ...(lan === undefined ? {} : { lan }),
        ...(zones === undefined ? {} : { zones }),
      };
      return inventory.addService(given, replace);
    },
    removeService: (name) => inventory.removeService(name),
    peers: () => peers(sources),
    facts: () => ({
      sites: [...state.authority().sites.values()].map(({ siteId, name }) => {
        const value = state.view().get("site", "facts", siteId)?.value;
        return { name, facts: factsShape.safeParse(value).data ?? null };
      }),
    }),
  };
}

/** The records that {@link Inventory} keeps. */
export function ownRecords(state: State, write: State["write"]): OwnRecords {
  const own = (prefix: string): readonly ViewEntry[] =>
    state
      .view()
      .entries("site", prefix)
      .filter(({ author }) => author === state.siteId);
  return {
    mayWrite: () => state.authority().isMember(state.siteId),
    own: (prefix) => own(prefix),
    write: async (changes) => {
      await write(changes.map((change) => ({ class: "site", ...change })));
    },
  };
}

function services(state: State): readonly ServiceInfo[] {
  const { sites } = state.authority();
  return state
    .view()
    .entries("site", "service/")
    .flatMap((entry) => {
      const site = sites.get(entry.author);
      const service = serviceRecord.safeParse(entry.value).data;
      if (site === undefined || service === undefined) return [];
      const { name, addresses, mesh = [], lan = [], ports, maintainers, zones = null } = service;
      const { declared } = entry.value as { readonly declared?: unknown };
      return {
        site: site.name,
        siteId: site.siteId,
        name,
        addresses,
        mesh,
        lan,
        ports,
        maintainers,
        zones,
        declared: declared === "configuration" ? ("configuration" as const) : ("command" as const),
        confirmedBy: confirmedBy(state, entry),
        ...wordsAbout(state.view(), state.authority(), name, site.siteId),
      };
    })
    .toSorted((a, b) => (a.name + a.site < b.name + b.site ? -1 : 1));
}

function confirmedBy(state: State, entry: ViewEntry): string[] | null {
  if (entry.author !== state.siteId) return null;
  const { sites } = state.authority();
  return state.confirmedBy(entry).map((site) => sites.get(site)?.name ?? site.slice(0, 8));
}

function peers({ state, links, seen, sameState, version }: InventorySources): readonly PeerInfo[] {
  const authority: Authority = state.authority();
  const view: View = state.view();
  const bySite = new Map(seen().map((each) => [each.siteId, each]));
  const linkTo = new Map(links().map((link) => [link.peer, link]));
  const all = [...authority.sites.values()].map(({ siteId, name, org, place }): PeerInfo => {
    const self = siteId === state.siteId;
    const link = linkTo.get(siteId);
    const word = bySite.get(siteId);
    const node = view.get("site", "node", siteId)?.value as { readonly version?: unknown } | null;
    const told = typeof node?.version === "string" ? node.version : null;
    const up = link !== undefined || word?.state === "up";
    return {
      siteId,
      name,
      org,
      place,
      state: self ? "this" : up ? "up" : "unreachable",
      suspended: authority.isSuspended(siteId),
      address: link?.address ?? null,
      rttMs: link?.rttMs ?? null,
      lastSeenMs: word?.ageMs ?? null,
      version: self ? version : (word?.version ?? told),
      sameState: self ? null : (sameState(siteId) ?? null),
    };
  });
  for (const { siteId, name, org, place, ended } of authority.endedSites.values()) {
    const gone = { address: null, rttMs: null, lastSeenMs: null, version: null, sameState: null };
    all.push({ siteId, name, org, place, state: ended.kind, suspended: false, ...gone });
  }
  return all.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** This site first, those that are no members any more last. */
function rank({ state }: PeerInfo): number {
  return state === "this" ? 0 : state === "up" || state === "unreachable" ? 1 : 2;
}
