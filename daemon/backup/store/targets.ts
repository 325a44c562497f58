/**
 * Which sites are to hold the groups of an own data set, and when one is replaced.
 *
 * A site that stays silent is replaced: soon if it never had the group, after days if it had,
 * because then it most likely comes back with everything.
 */
import { groupFacts } from "../../core/group-facts.ts";
import { effectiveTargets, lostSites } from "../../core/holder-standing.ts";
import { lackText } from "../../core/placement-lack.ts";
import {
  placeGroup,
  type Candidate,
  type PlacementConcern,
  type PlacementRequest,
} from "../../core/placement.ts";
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import { MAX_COPIES } from "../../../protocol/list.ts";
import type { Holder } from "./holder.ts";
import { lackingOf, offerOf } from "./lacking.ts";
import type { KnownList } from "./list-store.ts";
import type { OwnSet } from "./own-sets.ts";

export interface SpreadTimes {
  /** After so long a silence a site that never had the group is replaced. */
  readonly silentMs: number;
  /** After so long a silence a site that had the group is replaced. */
  readonly lostMs: number;
}

/** A site that has no room is asked again after this. */
const EXCLUDED_MS = 60 * 60_000;

const CONCERNS: Record<PlacementConcern, string> = {
  "same-operator": "One operator enrolled several of the holders, and could have invented them.",
  "same-organisation": "Some of the holders are of one organisation, or of the owner's.",
};

export class Targets {
  readonly #holder: Holder;
  readonly #times: SpreadTimes;
  readonly #downSinceMs = new Map<SiteId, number>();
  readonly #excludedUntilMs = new Map<string, number>();

  constructor(holder: Holder, times: SpreadTimes) {
    this.#holder = holder;
    this.#times = times;
  }

  /** The sites that are to hold a group: those that have it stay, unless they are lost. */
  async choose(set: OwnSet, group: number): Promise<readonly SiteId[]> {
    const list = this.#holder.lists.newest(set.owner, set.set, group);
    const told = this.#told(set, group);
    const current = [...new Set([...(set.targets[group] ?? []), ...told.taken])];
    const lost = new Set<SiteId>(told.gone);
    for (const site of current) {
      if (this.#isLeaving(site) || (await this.#isLost(set, group, site))) lost.add(site);
    }
    const kept = {
      ...set,
      targets: set.targets.with(
        group,
        current.filter((s) => !lost.has(s)),
      ),
    };
    // Sites that answer now come first; those that do not are better than none.
    const reachable = this.#place(kept, group, list, true, lost);
    const chosen =
      reachable.missing === 0 ? reachable : this.#place(kept, group, list, false, lost);
    const members = this.#holder.state.authority().sites;
    const stay = current.filter((site) => lost.has(site) && members.has(site));
    const targets = [...chosen.targets, ...stay].slice(0, set.copies);
    return [...targets, ...(await this.#leaving(set, group, targets))].slice(0, MAX_COPIES);
  }

  /** A site that says it lends nothing any more: its groups go elsewhere, while it is there. */
  #isLeaving(site: SiteId): boolean {
    return offerOf(this.#holder.state.view(), site)?.spaceBytes === 0;
  }

  /** Those that leave stay on beside the others until each of these has signed for everything. */
  async #leaving(set: OwnSet, group: number, targets: readonly SiteId[]): Promise<SiteId[]> {
    const { lists, receipts, state } = this.#holder;
    const members = state.authority().sites;
    const leaving = (set.targets[group] ?? []).filter(
      (site) => !targets.includes(site) && members.has(site) && this.#isLeaving(site),
    );
    if (leaving.length === 0) return [];
    const list = await lists.load(set.owner, set.set, group);
    if (list === undefined) return leaving;
    const lacking = await lackingOf(receipts, state.view(), list, targets);
    return [...lacking.values()].some(({ size }) => size > 0) ? leaving : [];
  }

  /**
   * What audits have found about the holders of a group, and who took it in meanwhile because other
   * holders asked for it.
   */
  #told({ owner, set }: OwnSet, group: number) {
    const { state, transport } = this.#holder;
    const members = new Set(state.authority().sites.keys());
    const name = { owner, set, group, by: transport.self };
    const facts = groupFacts(state.view(), members, name);
    if (facts === undefined) return { gone: [], taken: [] };
    const { live, gone } = effectiveTargets(facts, new Set());
    const taken = live.filter((site) => !facts.targets.includes(site) && facts.holding.has(site));
    return { gone: [...gone.keys(), ...lostSites(facts, new Set())], taken };
  }

  /** What the placement of a group lacks, in words; undefined when every copy has a site. */
  lack(set: OwnSet, group: number): string | undefined {
    const staying = (set.targets[group] ?? []).filter((site) => !this.#isLeaving(site));
    if (set.copies <= staying.length) return undefined;
    const list = this.#holder.lists.newest(set.owner, set.set, group);
    const kept = { ...set, targets: set.targets.with(group, staying) };
    const request = this.#request(kept, group, list, false);
    return lackText(request, placeGroup(request));
  }

  /** What weakens the placement of a group without putting it at risk, in words. */
  concerns(set: OwnSet, group: number): string[] {
    const list = this.#holder.lists.newest(set.owner, set.set, group);
    return this.#place(set, group, list, false).concerns.map((concern) => CONCERNS[concern]);
  }

  /** Does not choose the site for the group for a while: it has refused. */
  exclude(set: SetId, group: number, site: SiteId): void {
    const untilMs = this.#holder.clock.monotonicMs() + EXCLUDED_MS;
    this.#excludedUntilMs.set(`${site}/${set}/${group}`, untilMs);
  }

  /** A site that was never seen is silent since we began to look. */
  noteSilence(): void {
    const links = this.#holder.transport.links();
    for (const site of this.#holder.state.authority().sites.keys()) {
      if (links.includes(site)) this.#downSinceMs.delete(site);
      else if (!this.#downSinceMs.has(site)) {
        this.#downSinceMs.set(site, this.#holder.clock.monotonicMs());
      }
    }
  }

  #place(
    set: OwnSet,
    group: number,
    list: KnownList | undefined,
    onlyReachable: boolean,
    without?: ReadonlySet<SiteId>,
  ) {
    return placeGroup(this.#request(set, group, list, onlyReachable, without));
  }

  #request(
    set: OwnSet,
    group: number,
    list: KnownList | undefined,
    onlyReachable: boolean,
    without: ReadonlySet<SiteId> = new Set(),
  ): PlacementRequest {
    const { state, transport, clock } = this.#holder;
    const authority = state.authority();
    const view = state.view();
    const links = transport.links();
    const current = set.targets[group] ?? [];
    const nowMs = clock.monotonicMs();
    const candidates = [...authority.sites.values()].flatMap((site): Candidate[] => {
      const { siteId, domains, org, operator } = site;
      const offer = offerOf(view, siteId);
      const isCurrent = current.includes(siteId);
      if (without.has(siteId) || (offer === undefined && !isCurrent)) return [];
      if (onlyReachable && !isCurrent && !links.includes(siteId)) return [];
      const until = this.#excludedUntilMs.get(`${siteId}/${set.set}/${group}`) ?? 0;
      if (!isCurrent && until > nowMs) return [];
      const spaceBytes = offer?.spaceBytes ?? 0;
      const freeBytes = Math.max(0, spaceBytes - (offer?.usedBytes ?? 0));
      return spaceBytes === 0 && !isCurrent
        ? []
        : [{ siteId, spaceBytes, freeBytes, domains, org, operator }];
    });
    const self = authority.sites.get(transport.self);
    const nowhere = { building: "", power: "", uplink: "", country: "" };
    return {
      set: set.set,
      group,
      sizeBytes: list?.header.bytes ?? 0,
      copies: set.copies,
      from: {
        siteId: transport.self,
        domains: self?.domains ?? nowhere,
        org: self?.org ?? "",
      },
      current,
      candidates,
    };
  }

  async #isLost(set: OwnSet, group: number, site: SiteId): Promise<boolean> {
    const { state, clock } = this.#holder;
    if (!state.authority().sites.has(site)) return true;
    const until = this.#excludedUntilMs.get(`${site}/${set.set}/${group}`) ?? 0;
    if (until > clock.monotonicMs()) return true;
    const since = this.#downSinceMs.get(site);
    if (since === undefined) return false;
    const silenceMs = clock.monotonicMs() - since;
    if (silenceMs < Math.min(this.#times.silentMs, this.#times.lostMs)) return false;
    return (
      silenceMs >=
      ((await this.#hadIt(set, group, site)) ? this.#times.lostMs : this.#times.silentMs)
    );
  }

  /** Whether a site has signed for at least half of a group. */
  async #hadIt(set: OwnSet, group: number, site: SiteId): Promise<boolean> {
    const { lists, receipts, state } = this.#holder;
    const list = await lists.load(set.owner, set.set, group);
    if (list === undefined) return false;
    const lacking = await lackingOf(receipts, state.view(), list, [site]);
    return (lacking.get(site)?.size ?? 0) <= list.entries.length / 2;
  }
}
