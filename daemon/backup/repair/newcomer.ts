/**
 * Takes in groups that other holders have named this site for, and those that it should have and
 * has not, though its owner's site does not send them.
 *
 * It believes nobody: that a copy is missing it sees in the view, with its own eyes for who is there;
 * the list is signed, and has to be one that the signing site may write or did publish; each shard
 * is checked against its name.
 */
import { settleMs, tickMs, type AuditPace } from "../../core/backup/audit-pace.ts";
import { FactsReader, type GroupFacts } from "../../core/backup/group-facts.ts";
import { placesIn } from "../../core/backup/published.ts";
import { effectiveTargets } from "../../core/backup/holder-standing.ts";
import { termsFor } from "../../core/backup/lending.ts";
import { groupKey, parseGroupKey, repairRecord } from "../../../protocol/logs/hold-record.ts";
import type { JsonValue } from "../../../protocol/encoding/json-value.ts";
import { RepeatedWork } from "../repeated-work.ts";
import { fetchList } from "../store/spread/fetch.ts";
import { groupName } from "../store/lists/group-name.ts";
import { missingOf, type Holder } from "../store/holder.ts";
import type { LoadedList } from "../store/lists/list-store.ts";
import { fillGroup } from "./fill-group.ts";
import { sourcesOf } from "./sources.ts";

/** Progress is told after each of so many parts. */
const TOLD_PARTS = 20;
/** A target that nobody sends its group waits so many times as long as for any other copy. */
const UNSENT_SETTLES = 6;

export interface NewcomerOptions {
  readonly holder: Holder;
  readonly pace: () => AuditPace;
  /** A list is held in full now. */
  readonly completed: (list: LoadedList) => void;
}

export class Newcomer {
  readonly #options: NewcomerOptions;
  /** Running time since a group should be here that nobody named this site for. */
  readonly #unsentMs = new Map<string, number>();
  #lastMs: number;
  readonly #looks: RepeatedWork;

  constructor(options: NewcomerOptions) {
    this.#options = options;
    const { holder, pace } = options;
    this.#lastMs = holder.clock.monotonicMs();
    this.#looks = new RepeatedWork(holder.clock, () =>
      this.#look()
        .catch((error: unknown) => {
          holder.log.error("a copy could not be taken in", { error: String(error) });
        })
        .then(() => tickMs(pace())),
    );
    this.#looks.within(tickMs(pace()));
  }

  stop(): Promise<void> {
    return this.#looks.stop();
  }

  async #look(): Promise<void> {
    const { state, transport, clock } = this.#options.holder;
    const elapsedMs = clock.monotonicMs() - this.#lastMs;
    this.#lastMs = clock.monotonicMs();
    if (state.meshId === undefined || !state.authority().sites.has(transport.self)) return;
    for (const facts of [...this.#named(), ...this.#unsent(elapsedMs)]) {
      if (this.#looks.isStopped) return;
      await this.#takeIn(facts).catch((error: unknown) => {
        const { set, group } = facts;
        const why = String(error);
        this.#options.holder.log.warn("a copy was not taken in", { set, group, why });
      });
    }
  }

  /** Groups that holders have named this site for, and that still lack a copy. */
  #named(): GroupFacts[] {
    const { state, transport } = this.#options.holder;
    const { self } = transport;
    const links = transport.links();
    const members = new Set(state.authority().sites.keys());
    const absent = new Set([...members].filter((site) => site !== self && !links.includes(site)));
    const reader = new FactsReader(state.view(), members);
    const wanted = new Map<string, GroupFacts>();
    for (const { key, value } of state.view().entries("hold", "repair/")) {
      const name = parseGroupKey("repair", key);
      const repair = repairRecord.safeParse(value);
      if (name === undefined || !repair.success || !repair.data.to.includes(self)) continue;
      const facts = reader.group({ ...name, by: repair.data.by });
      if (facts === undefined || facts.holding.has(self)) continue;
      // Live only when its author may name somebody and a copy is missing.
      if (effectiveTargets(facts, absent).live.includes(self)) wanted.set(key, facts);
    }
    return [...wanted.values()];
  }

  /** Groups that are to be here by the owner's word, when others have them and nobody sends them. */
  #unsent(elapsedMs: number): GroupFacts[] {
    const { holder, pace } = this.#options;
    const { state, transport } = holder;
    const reader = new FactsReader(state.view(), new Set(state.authority().sites.keys()));
    const late: GroupFacts[] = [];
    const seen = new Set<string>();
    for (const { set, author, place } of placesIn(state.view())) {
      if (author === transport.self) continue;
      for (const [group, { targets }] of place.groups.entries()) {
        const name = { owner: place.owner, set, group, by: author };
        if (!targets.includes(transport.self)) continue;
        const facts = reader.group(name);
        if (facts === undefined || facts.holding.has(transport.self)) continue;
        if (sourcesOf(holder, facts).holders.length === 0) continue;
        const forMs = (this.#unsentMs.get(groupName(name)) ?? 0) + elapsedMs;
        this.#unsentMs.set(groupName(name), forMs);
        seen.add(groupName(name));
        if (forMs >= UNSENT_SETTLES * settleMs(pace())) late.push(facts);
      }
    }
    for (const name of this.#unsentMs.keys()) if (!seen.has(name)) this.#unsentMs.delete(name);
    return late;
  }

  async #takeIn(facts: GroupFacts): Promise<void> {
    const { holder, completed } = this.#options;
    const list = await this.#listOf(facts);
    if (list === undefined) return;
    const { owner } = list.header;
    // From the look at what is here until the list is durable nothing of the set is deleted.
    const { wantedBytes, reservation } = await holder.gates.run(list.header, async () => {
      const missing = await missingOf(holder, list);
      const wanted = missing.reduce((sum, at) => sum + (list.entries[at]?.sizeBytes ?? 0), 0);
      // No daily limit: the group came in under that of the holders that have it.
      const { quota, shards } = holder;
      const fits = wanted <= (await shards.freeBytes());
      const terms = termsFor(holder.lending(), owner);
      const room = fits ? quota.reserve(owner, wanted, terms?.capBytes ?? 0) : undefined;
      if (room !== undefined) await holder.lists.put([list]);
      return { wantedBytes: wanted, reservation: room };
    });
    if (reservation === undefined) {
      await this.#tell(facts, list, { doneBytes: 0, endsAtMs: null, refused: "space" });
      return;
    }
    const startedMs = holder.clock.monotonicMs();
    let storedBytes = 0;
    let toldBytes = 0;
    const { bytes } = list.header;
    const told = (): Promise<void> => {
      const doneBytes = Math.min(bytes, bytes - wantedBytes + storedBytes);
      const tookMs = holder.clock.monotonicMs() - startedMs;
      const leftMs = storedBytes === 0 ? null : (tookMs / storedBytes) * (bytes - doneBytes);
      const endsAtMs = leftMs === null ? null : Math.ceil(holder.clock.wallMs() + leftMs);
      return this.#tell(facts, list, { doneBytes, endsAtMs, refused: null });
    };
    try {
      await told();
      const onStored = (sizeBytes: number): void => {
        holder.quota.stored(owner, sizeBytes);
        reservation.used(sizeBytes);
        storedBytes += sizeBytes;
        if (storedBytes - toldBytes < bytes / TOLD_PARTS) return;
        toldBytes = storedBytes;
        told().catch(() => {});
      };
      const sources = sourcesOf(holder, facts);
      const left = await fillGroup({
        holder,
        list,
        sources,
        signal: this.#looks.signal,
        onStored,
      });
      if (left > 0) return;
      completed(list);
      await this.#tell(facts, list, undefined);
    } finally {
      reservation.release();
    }
  }

  /** The list that is to be held, from any holder; verified, and signed or published as it should. */
  async #listOf(facts: GroupFacts): Promise<LoadedList | undefined> {
    const { holder } = this.#options;
    const { owner, set, group, by } = facts;
    const known = await holder.lists.load(owner, set, group);
    if (known?.header.by === by && known.header.generation >= facts.generation) return known;
    const { holders, last } = sourcesOf(holder, facts);
    for (const site of [...holders, ...last]) {
      const { signal } = this.#looks;
      const list = await fetchList(holder, site, facts, signal).catch((error: unknown) => {
        holder.log.info("a holder did not give a list", { site, set, error: String(error) });
        return undefined;
      });
      if (list === undefined || list.header.by !== by) continue;
      if ((known?.header.generation ?? 0) > list.header.generation) continue;
      if (this.#mayTake(list, facts)) return list;
    }
    return known?.header.by === by ? known : undefined;
  }

  /** Its site may write it now, or is known to have written it when it might. */
  #mayTake({ id, header }: LoadedList, facts: GroupFacts): boolean {
    const { state } = this.#options.holder;
    const authority = state.authority();
    if (header.mesh !== state.meshId) return false;
    if (authority.sites.has(header.by)) {
      return authority.delegationFor(header.owner, header.set, header.by) !== undefined;
    }
    const said = [...facts.holding].filter(([, held]) => held.list === id);
    return facts.list === id || said.length >= 2;
  }

  /** Undefined: it is over. */
  async #tell(
    { owner, set, group, by }: GroupFacts,
    { id, header }: LoadedList,
    what: { doneBytes: number; endsAtMs: number | null; refused: "space" | null } | undefined,
  ): Promise<void> {
    const { state } = this.#options.holder;
    const { generation, bytes } = header;
    const value: JsonValue | undefined =
      what === undefined ? undefined : { by, generation, list: id, bytes, ...what };
    await state.write([{ class: "hold", key: groupKey("intake", owner, set, group), value }]);
  }
}
