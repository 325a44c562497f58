/**
 * Sees to it that groups held here have as many holders as their owner wants, without the owner.
 *
 * Who counts as a holder is decided in daemon/core/backup/holder-standing.ts, whose turn it is in
 * repair-duty.ts, where to in placement.ts. What this site decides stands in its `hold` log; the
 * site that is named there does the work.
 */
import { candidateOf, placedBytes } from "../../core/backup/candidate.ts";
import { effectiveTargets, goneSites } from "../../core/backup/holder-standing.ts";
import { settleMs, tickMs, type AuditPace } from "../../core/backup/audit-pace.ts";
import { FactsReader, type GroupFacts } from "../../core/backup/group-facts.ts";
import { placeGroup, type Candidate } from "../../core/backup/placement.ts";
import { isOnDuty } from "../../core/backup/repair-duty.ts";
import {
  groupKey,
  intakeRecord,
  parseGroupKey,
  repairRecord,
} from "../../../protocol/logs/hold-record.ts";
import type { SiteId } from "../../../protocol/ids.ts";
import { MAX_COPIES } from "../../../protocol/backup/list.ts";
import { sameJson, type JsonValue } from "../../../protocol/encoding/json-value.ts";
import { RepeatedWork } from "../repeated-work.ts";
import { groupName } from "../store/lists/group-name.ts";
import type { Holder } from "../store/holder.ts";
import { offerOf } from "../store/lists/lacking.ts";
import type { KnownList } from "../store/lists/list-store.ts";

/** A site that was named and did not begin is passed over after this part of the takeover time. */
const BEGIN_PARTS = 24;
const NOWHERE = { building: "", power: "", uplink: "", country: "" };

export interface RepairerOptions {
  readonly holder: Holder;
  readonly pace: () => AuditPace;
  /** Sites that were not heard here for as long as one is waited for. */
  readonly silentSites: () => ReadonlySet<SiteId>;
}

interface Need {
  /** Running time in which copies were missing and nothing came of what is under way. */
  forMs: number;
  /** Running time since those that this site named got on. */
  namedMs: number;
  /** How far those are that take the group in. */
  progress: string;
  /** Named in vain. */
  readonly tried: Set<SiteId>;
}

export class Repairer {
  readonly #options: RepairerOptions;
  readonly #needs = new Map<string, Need>();
  #lastMs: number;
  readonly #looks: RepeatedWork;

  constructor(options: RepairerOptions) {
    this.#options = options;
    const { holder, pace } = options;
    this.#lastMs = holder.clock.monotonicMs();
    this.#looks = new RepeatedWork(holder.clock, () =>
      this.#look()
        .catch((error: unknown) => {
          holder.log.error("copies could not be looked at", { error: String(error) });
        })
        .then(() => tickMs(pace())),
    );
    this.#looks.within(tickMs(pace()));
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #look(): Promise<void> {
    const { holder } = this.#options;
    const { lists, state, transport, clock } = holder;
    const elapsedMs = clock.monotonicMs() - this.#lastMs;
    this.#lastMs = clock.monotonicMs();
    if (state.meshId === undefined || !state.authority().sites.has(transport.self)) return;
    const seen = new Set<string>();
    const reader = new FactsReader(state.view(), new Set(state.authority().sites.keys()));
    for (const list of lists.all()) {
      if (this.#looks.isStopped) return;
      if (list.header.by === transport.self) continue;
      seen.add(groupName(list.header));
      await this.#lookAt(list, reader, elapsedMs);
    }
    for (const name of this.#needs.keys()) if (!seen.has(name)) this.#needs.delete(name);
    await this.#withdraw();
  }

  async #lookAt(list: KnownList, reader: FactsReader, elapsedMs: number): Promise<void> {
    const { holder, pace, silentSites } = this.#options;
    const { transport } = holder;
    const { owner, set, group, by } = list.header;
    const facts = reader.group({ owner, set, group, by });
    const name = groupName(list.header);
    if (facts === undefined) return;
    const { live, missing } = effectiveTargets(facts, silentSites());
    const waiting = live.filter(
      (site) => !facts.holding.has(site) && !facts.targets.includes(site),
    );
    if (missing === 0 && waiting.length === 0) {
      this.#needs.delete(name);
      return;
    }
    const need = this.#needs.get(name) ?? newNeed();
    this.#needs.set(name, need);
    const progress = waiting.map((site) => `${site} ${partsIn(holder, facts, site)}`).join(" ");
    if (waiting.length > 0 && progress !== need.progress)
      Object.assign(need, { forMs: 0, namedMs: 0 });
    need.progress = progress;
    need.forMs += elapsedMs;
    need.namedMs += elapsedMs;
    const stalled = this.#stalled(facts, waiting, need);
    const holders = live.filter((site) => facts.holding.has(site));
    const question = { owner, set, group, self: transport.self, holders, needMs: need.forMs };
    const { takeoverMs } = pace();
    // While somebody takes it in, the next one waits a day longer.
    const settle = missing > 0 && stalled.length === 0 ? settleMs(pace()) : takeoverMs;
    if (stalled.length === 0 && !isOnDuty({ ...question, settleMs: settle, takeoverMs })) return;
    for (const site of stalled) need.tried.add(site);
    const isLate = missing === 0 && stalled.length === 0;
    const given = new Set(isLate ? waiting : stalled);
    await this.#name(
      list,
      facts,
      live.filter((site) => !given.has(site)),
      need,
    );
  }

  /** Those that this site named, and that say no, did not begin, or do not get on. */
  #stalled(facts: GroupFacts, waiting: readonly SiteId[], need: Need): SiteId[] {
    const { holder, pace } = this.#options;
    const { takeoverMs } = pace();
    return waiting.filter((site) => {
      const isMine = facts.repairs.some(
        ({ author, to }) => author === holder.transport.self && to === site,
      );
      if (!isMine) return false;
      const parts = partsIn(holder, facts, site);
      if (parts === "refused") return true;
      return need.namedMs >= (parts === undefined ? takeoverMs / BEGIN_PARTS : takeoverMs);
    });
  }

  /** Names the sites that are to take the group in, beside those that it already has. */
  async #name(
    list: KnownList,
    facts: GroupFacts,
    current: readonly SiteId[],
    need: Need,
  ): Promise<void> {
    const { holder } = this.#options;
    const { owner, set, group, by, copies } = facts;
    const { sites, endedSites } = holder.state.authority();
    const from = sites.get(by) ?? endedSites.get(by);
    const { targets } = placeGroup({
      ...{ set, group, copies, sizeBytes: list.header.bytes, current },
      from: { siteId: by, domains: from?.domains ?? NOWHERE, org: from?.org ?? "" },
      rules: facts.rules,
      candidates: this.#candidates(facts, current, need.tried),
    });
    const added = targets.filter((site) => !current.includes(site));
    if (added.length === 0) {
      // Nobody is left: those that were passed over may be asked again.
      need.tried.clear();
      return;
    }
    Object.assign(need, { forMs: 0, namedMs: 0 });
    const kept = facts.repairs
      .filter(({ author, to }) => author === holder.transport.self && current.includes(to))
      .map(({ to }) => to);
    const to = [...kept, ...added].slice(-MAX_COPIES);
    const { generation } = list.header;
    holder.log.warn("a copy is missing; another site is to take it in", {
      ...{ set, group, sites: added.join(" ") },
    });
    await this.#write(groupKey("repair", owner, set, group), { by, to, generation, list: list.id });
  }

  #candidates(
    facts: GroupFacts,
    current: readonly SiteId[],
    tried: ReadonlySet<SiteId>,
  ): Candidate[] {
    const { state, transport } = this.#options.holder;
    const links = transport.links();
    const lost = goneSites(facts, this.#options.silentSites());
    const placed = placedBytes(state.view(), state.authority(), facts.owner);
    return [...state.authority().sites.values()].flatMap((site): Candidate[] => {
      const { siteId } = site;
      const offer = offerOf(state.view(), siteId);
      const known = candidateOf(site, offer, facts.owner, placed);
      if (current.includes(siteId)) return [known];
      // Who was a holder and failed is none to begin with.
      const wasHolder = facts.targets.includes(siteId) || lost.has(siteId);
      const isThere = links.includes(siteId) && siteId !== transport.self;
      return offer !== undefined && isThere && !wasHolder && !tried.has(siteId) ? [known] : [];
    });
  }

  /** Takes back own records of groups whose owner has made the site a target, or that are gone. */
  async #withdraw(): Promise<void> {
    const { state, transport, lists } = this.#options.holder;
    const view = state.view();
    const reader = new FactsReader(view, new Set(state.authority().sites.keys()));
    for (const { key, author, value } of view.entries("hold", "repair/")) {
      const name = parseGroupKey("repair", key);
      const repair = repairRecord.safeParse(value);
      if (author !== transport.self || name === undefined || !repair.success) continue;
      const facts = reader.group({ ...name, by: repair.data.by });
      const isHeld = lists.newest(name.owner, name.set, name.group) !== undefined;
      const isOver =
        facts === undefined || repair.data.to.every((to) => facts.targets.includes(to));
      if (isOver && (facts !== undefined || !isHeld)) {
        await state.write([{ class: "hold", key, value: undefined }]);
      }
    }
  }

  async #write(key: string, value: JsonValue): Promise<void> {
    const { state, transport } = this.#options.holder;
    const shown = state.view().get("hold", key, transport.self)?.value;
    if (shown !== undefined && sameJson(shown, value)) return;
    await state.write([{ class: "hold", key, value }]);
  }
}

function newNeed(): Need {
  return { forMs: 0, namedMs: 0, progress: "", tried: new Set() };
}

/** How many hundredths of the group the site says to have, or that it refuses it. */
function partsIn(
  { state }: Holder,
  { owner, set, group }: GroupFacts,
  site: SiteId,
): number | "refused" | undefined {
  const entry = state.view().get("hold", groupKey("intake", owner, set, group), site);
  const intake = intakeRecord.safeParse(entry?.value);
  if (!intake.success) return undefined;
  const { refused, doneBytes, bytes } = intake.data;
  return refused === null ? Math.floor((100 * doneBytes) / Math.max(1, bytes)) : "refused";
}
