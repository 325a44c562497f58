/**
 * Which sites are to hold the groups of an own data set, and when one is replaced.
 *
 * A site that stays silent is replaced: soon if it never had the group, after days if it had,
 * because then it most likely comes back with everything. A site that is not to hold the group any
 * more, by the owner's rules, by its own offer or because others are chosen, stays beside the others
 * until each of these has signed for everything; the lists then no longer name it. One that breaks
 * the owner's rules gets nothing new meanwhile.
 */
import { candidateOf, placedBytes } from "../../../core/backup/candidate.ts";
import { groupFacts } from "../../../core/backup/group-facts.ts";
import { effectiveTargets, goneSites } from "../../../core/backup/holder-standing.ts";
import { lackText } from "../../../core/backup/placement-lack.ts";
import { barOf, type Bar } from "../../../core/backup/placement-rules.ts";
import {
  placeGroup,
  type Candidate,
  type PlacementConcern,
  type PlacementRequest,
} from "../../../core/backup/placement.ts";
import type { View } from "../../../core/logs/view.ts";
import type { OwnerId, SetId, SiteId } from "../../../../protocol/ids.ts";
import { MAX_COPIES } from "../../../../protocol/backup/list.ts";
import type { Holder } from "../holder.ts";
import { lackingOf, offerOf } from "../lists/lacking.ts";
import type { OwnRules } from "../own/own-rules.ts";
import type { OwnSet } from "../own/own-sets.ts";
import { Refusals } from "./refusals.ts";

export interface SpreadTimes {
  /** After so long a silence a site that never had the group is replaced. */
  readonly silentMs: number;
  /** After so long a silence a site that had the group is replaced. */
  readonly lostMs: number;
}

const CONCERNS: Record<PlacementConcern, string> = {
  "same-operator": "One operator enrolled several of the holders, and could have invented them.",
  "same-organisation": "Some of the holders are of one organisation, or of the owner's.",
};

/** Why a site that has the group is let go. Who has no room any more stays. */
const LET_GO: Record<Exclude<Bar, "room">, string> = {
  holder: "is not among the holders that are named",
  country: "is in a country that is not wanted",
  "no-country": "does not say in which country it is",
  lending: "lends nothing to this owner any more",
};

export class Targets {
  /** What sites have not taken. */
  readonly refusals: Refusals;
  readonly #holder: Holder;
  readonly #rules: OwnRules;
  readonly #times: SpreadTimes;
  readonly #downSinceMs = new Map<SiteId, number>();
  /** What an owner has where, as of one view: the same for all groups of a set. */
  #placed:
    | { readonly view: View; readonly owner: OwnerId; readonly sums: ReadonlyMap<SiteId, number> }
    | undefined;

  constructor(holder: Holder, rules: OwnRules, times: SpreadTimes) {
    this.#holder = holder;
    this.#rules = rules;
    this.#times = times;
    this.refusals = new Refusals(holder.clock);
  }

  /** The sites that are to hold a group: those that have it stay, unless they are lost. */
  async choose(set: OwnSet, group: number): Promise<readonly SiteId[]> {
    const told = this.#told(set, group);
    const current = [...new Set([...(set.targets[group] ?? []), ...told.taken])];
    const lost = new Set<SiteId>(told.gone);
    const leaving = new Set<SiteId>();
    for (const site of current) {
      if (await this.#isLost(set, group, site)) lost.add(site);
      else if (this.#whyLetGo(set, site) !== undefined) leaving.add(site);
    }
    const without = new Set([...lost, ...leaving]);
    const kept = current.filter((site) => !without.has(site));
    // Sites that answer now come first; those that do not are better than none.
    const reachable = placeGroup(this.#request(set, group, kept, true, without));
    const chosen =
      reachable.missing === 0
        ? reachable
        : placeGroup(this.#request(set, group, kept, false, without));
    const members = this.#holder.state.authority().sites;
    const stay = current.filter((site) => without.has(site) && members.has(site));
    const targets = [...chosen.targets, ...stay].slice(0, set.copies);
    const beside = await this.#beside(set, group, targets, lost);
    return [...targets, ...beside].slice(0, MAX_COPIES);
  }

  /** Whether new lists and shards may go to a site that is to hold the group. */
  mayGet(set: SetId, site: SiteId): boolean {
    const { sites } = this.#holder.state.authority();
    const member = sites.get(site);
    if (member === undefined) return true;
    const facts = { ...member, lends: true, freeBytes: 0 };
    return barOf(facts, this.#published(set), 0) === undefined;
  }

  /** Why a site that has a group is to hold it no longer; undefined: it may stay. */
  #whyLetGo({ set, owner }: OwnSet, site: SiteId): Exclude<Bar, "room"> | undefined {
    const { state } = this.#holder;
    const member = state.authority().sites.get(site);
    if (member === undefined) return undefined;
    const candidate = candidateOf(member, offerOf(state.view(), site), owner, new Map());
    const bar = barOf(candidate, this.#published(set), 0);
    return bar === "room" ? undefined : bar;
  }

  #published(set: SetId) {
    return this.#rules.published(set, this.#holder.state.authority());
  }

  /** Those that go stay on beside the others until each of these has signed for everything. */
  async #beside(
    set: OwnSet,
    group: number,
    targets: readonly SiteId[],
    lost: ReadonlySet<SiteId>,
  ): Promise<SiteId[]> {
    const { lists, receipts, state } = this.#holder;
    const members = state.authority().sites;
    const leaving = (set.targets[group] ?? []).filter(
      (site) => !targets.includes(site) && members.has(site) && !lost.has(site),
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
    return { gone: [...gone.keys(), ...goneSites(facts, new Set())], taken };
  }

  /** What the placement of a group lacks, in words; undefined when every copy has a site. */
  lack(set: OwnSet, group: number): string | undefined {
    const staying = (set.targets[group] ?? []).filter((site) => {
      const isExcluded = this.refusals.isExcluded(set.set, group, site);
      return !isExcluded && this.#whyLetGo(set, site) === undefined;
    });
    if (set.copies <= staying.length) return undefined;
    const request = this.#request(set, group, staying, false);
    return lackText(request, placeGroup(request));
  }

  /** What weakens the placement of a group without putting it at risk, in words. */
  concerns(set: OwnSet, group: number): string[] {
    const targets = set.targets[group] ?? [];
    const { sites } = this.#holder.state.authority();
    const leaving = targets.flatMap((site) => {
      const why = this.#whyLetGo(set, site);
      const name = sites.get(site)?.name ?? site.slice(0, 8);
      return why === undefined
        ? []
        : [`${name} ${LET_GO[why]}. It is let go when enough others have everything.`];
    });
    const unknown = this.#rules
      .unknown(set.set, this.#holder.state.authority())
      .map((word) => `No member is called "${word}".`);
    const request = this.#request(set, group, targets, false);
    const { concerns } = placeGroup(request);
    return [...concerns.map((concern) => CONCERNS[concern]), ...leaving, ...unknown];
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

  #request(
    set: OwnSet,
    group: number,
    current: readonly SiteId[],
    onlyReachable: boolean,
    without: ReadonlySet<SiteId> = new Set(),
  ): PlacementRequest {
    const { state, transport, lists } = this.#holder;
    const authority = state.authority();
    const view = state.view();
    const links = transport.links();
    const placed = this.#placedBy(set.owner);
    const candidates = [...authority.sites.values()].flatMap((site): Candidate[] => {
      const { siteId } = site;
      const offer = offerOf(view, siteId);
      if (without.has(siteId)) return [];
      const candidate = candidateOf(site, offer, set.owner, placed);
      if (current.includes(siteId)) return [candidate];
      if (offer === undefined || this.refusals.isExcluded(set.set, group, siteId)) return [];
      return onlyReachable && !links.includes(siteId) ? [] : [candidate];
    });
    const self = authority.sites.get(transport.self);
    const nowhere = { building: "", power: "", uplink: "", country: "" };
    return {
      ...{ set: set.set, group, copies: set.copies, current, candidates },
      sizeBytes: lists.newest(set.owner, set.set, group)?.header.bytes ?? 0,
      rules: this.#published(set.set),
      from: {
        siteId: transport.self,
        domains: self?.domains ?? nowhere,
        org: self?.org ?? "",
      },
    };
  }

  #placedBy(owner: OwnerId): ReadonlyMap<SiteId, number> {
    const { state } = this.#holder;
    const view = state.view();
    if (this.#placed?.view !== view || this.#placed.owner !== owner) {
      this.#placed = { view, owner, sums: placedBytes(view, state.authority(), owner) };
    }
    return this.#placed.sums;
  }

  /** Whether a site has been silent for as long as a holder is waited for. */
  isLost(site: SiteId): boolean {
    const since = this.#downSinceMs.get(site);
    const nowMs = this.#holder.clock.monotonicMs();
    return since !== undefined && nowMs - since >= this.#times.lostMs;
  }

  async #isLost(set: OwnSet, group: number, site: SiteId): Promise<boolean> {
    const { state, clock } = this.#holder;
    if (!state.authority().sites.has(site)) return true;
    if (this.refusals.isExcluded(set.set, group, site)) return true;
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
