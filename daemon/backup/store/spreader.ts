/**
 * The owner's side: keeps every own data set on its way to as many other sites as are wanted.
 *
 * Looks at all groups after each change that may matter (a commit, a member, an offer, a link)
 * and from time to time; chooses sites, publishes the choice in the `place` record, and sets
 * chains to work. A site that stays silent is replaced: soon if it never had the group, after
 * days if it had, because then it most likely comes back with everything.
 */
import type { Candidate } from "../../core/placement.ts";
import { placeGroup } from "../../core/placement.ts";
import { sameJson, type JsonValue } from "../../../protocol/json-value.ts";
import type { SetId, SiteId } from "../../../protocol/ids.ts";
import { placeKey } from "../../../protocol/record.ts";
import type { Refusal } from "../../../protocol/shard-message.ts";
import type { ChainQueue } from "./chain-queue.ts";
import { raiseGeneration } from "./commit.ts";
import { groupName } from "./group-name.ts";
import type { Holder } from "./holder.ts";
import { lackingOf, offerOf } from "./lacking.ts";
import type { KnownList } from "./list-store.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";
import type { Serial } from "./serial.ts";

export interface SpreadTimes {
  /** After so long a silence a site that never had the group is replaced. */
  readonly silentMs: number;
  /** After so long a silence a site that had the group is replaced. */
  readonly lostMs: number;
}

/** A site that has no room is asked again after this. */
const EXCLUDED_MS = 60 * 60_000;
/** Changes that come together are looked at together. */
const GATHER_MS = 100;
const MOST_BETWEEN_LOOKS_MS = 60_000;
/** How often the count of sent bytes is written down. */
const COUNT_MS = 2000;

export class Spreader {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #queue: ChainQueue;
  readonly #times: SpreadTimes;
  /** Commits, raised generations and new targets of all sets: one after another. */
  readonly #serial: Serial;
  readonly #downSinceMs = new Map<SiteId, number>();
  readonly #excludedUntilMs = new Map<string, number>();
  /** Groups that are complete, with what that was seen for. */
  readonly #complete = new Map<string, string>();
  readonly #uncounted = new Map<SetId, number>();
  readonly #stops: (() => void)[] = [];
  #cancelLook: (() => void) | undefined;
  #cancelCount: (() => void) | undefined;
  #stopped = false;

  constructor(holder: Holder, own: OwnSets, queue: ChainQueue, serial: Serial, times: SpreadTimes) {
    this.#holder = holder;
    this.#own = own;
    this.#queue = queue;
    this.#serial = serial;
    this.#times = times;
  }

  start(): void {
    const { transport, state, clock } = this.#holder;
    this.#stops.push(
      state.subscribe(() => this.lookSoon()),
      transport.onLink((peer, up) => {
        if (up) this.#downSinceMs.delete(peer);
        else this.#downSinceMs.set(peer, clock.monotonicMs());
        this.lookSoon();
      }),
    );
    this.lookSoon();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#stops) stop();
    this.#cancelLook?.();
    this.#cancelCount?.();
    await this.#serial.run(() => this.#count());
  }

  /** Looks at all sets shortly: what changed just before is seen. */
  lookSoon(delayMs = GATHER_MS): void {
    if (this.#stopped) return;
    this.#cancelLook?.();
    this.#cancelLook = this.#holder.clock.after(delayMs, () => {
      this.#serial
        .run(() => this.#look())
        .catch((error: unknown) => {
          this.#holder.log.error("copies could not be looked at", { error: String(error) });
        })
        .finally(() => {
          const { silentMs, lostMs } = this.#times;
          if (this.#cancelLook === undefined) {
            this.lookSoon(Math.min(MOST_BETWEEN_LOOKS_MS, silentMs / 2, lostMs / 2));
          }
        });
      this.#cancelLook = undefined;
    });
  }

  /** Bytes of shards that this site sent for a set, with those not yet written down. */
  sentBytes(set: OwnSet): number {
    return set.sentBytes + (this.#uncounted.get(set.set) ?? 0);
  }

  /** Sites that the placement of a group lacks, with what stands in the way, in words. */
  missingSites(set: OwnSet, group: number): { missing: number; reasons: string[] } {
    const missing = set.copies - (set.targets[group]?.length ?? 0);
    if (missing <= 0) return { missing: 0, reasons: [] };
    const list = this.#holder.lists.newest(set.owner, set.set, group);
    const { withoutRoom } = this.#place(set, group, list, false);
    const sites = `${missing} more ${missing === 1 ? "site" : "sites"}`;
    const without = withoutRoom === 0 ? "" : ` (${withoutRoom} have no room left)`;
    return { missing, reasons: [`Needs ${sites} that lend space elsewhere${without}.`] };
  }

  async #look(): Promise<void> {
    if (this.#holder.state.meshId === undefined || this.#stopped) return;
    this.#noteSilence();
    for (const set of this.#own.all()) {
      await this.#choose(set);
      await this.#publish(set.set);
      await this.#work(set.set);
    }
  }

  /** A site that was never seen is silent since we began to look. */
  #noteSilence(): void {
    const links = this.#holder.transport.links();
    for (const site of this.#holder.state.authority().sites.keys()) {
      if (links.includes(site)) this.#downSinceMs.delete(site);
      else if (!this.#downSinceMs.has(site)) {
        this.#downSinceMs.set(site, this.#holder.clock.monotonicMs());
      }
    }
  }

  async #choose(set: OwnSet): Promise<void> {
    const targets = [...set.targets];
    for (const group of set.targets.keys()) {
      const list = this.#holder.lists.newest(set.owner, set.set, group);
      const current = set.targets[group] ?? [];
      const lost = new Set<SiteId>();
      for (const site of current) if (await this.#isLost(set, group, site)) lost.add(site);
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
      targets[group] = [...chosen.targets, ...stay].slice(0, set.copies);
    }
    const changed = targets.some(
      (sites, group) => sites.toString() !== (set.targets[group] ?? []).toString(),
    );
    if (changed) {
      const now = this.#own.get(set.set) ?? set;
      await this.#own.put({ ...now, targets }, "durable");
    }
  }

  #place(
    set: OwnSet,
    group: number,
    list: KnownList | undefined,
    onlyReachable: boolean,
    without: ReadonlySet<SiteId> = new Set(),
  ) {
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
    return placeGroup({
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
    });
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

  /** Writes the `place` record when it is not what the view shows. */
  async #publish(id: SetId): Promise<void> {
    const set = this.#own.get(id);
    if (set === undefined) return;
    const { state, transport } = this.#holder;
    const value = this.placeValue(set);
    const shown = state.view().get("place", placeKey(id), transport.self)?.value;
    if (shown !== undefined && sameJson(shown, value)) return;
    await state.write([{ class: "place", key: placeKey(id), value }]);
  }

  placeValue(set: OwnSet): JsonValue {
    const { head } = set;
    return {
      owner: set.owner,
      name: Buffer.from(set.sealedName).toString("base64"),
      keyEpoch: set.keyEpoch,
      copies: set.copies,
      head: head === null ? null : { ...head },
      groups: set.targets.flatMap((targets, group) => {
        const list = this.#holder.lists.newest(set.owner, set.set, group);
        if (list === undefined) return [];
        const { generation, shards, bytes } = list.header;
        return [{ targets: [...targets], generation, list: list.id, shards, bytes }];
      }),
    };
  }

  /** Sets chains to work for the groups that are not complete. */
  async #work(id: SetId): Promise<void> {
    const set = this.#own.get(id);
    if (set === undefined) return;
    const { lists, receipts, state } = this.#holder;
    const view = state.view();
    for (const [group, targets] of set.targets.entries()) {
      const known = lists.newest(set.owner, id, group);
      if (known === undefined || targets.length === 0) continue;
      const stores = targets.map((site) => `${site}:${offerOf(view, site)?.storeId ?? ""}`);
      const what = `${known.id} ${stores.join(" ")}`;
      const name = groupName({ owner: set.owner, set: id, group });
      if (this.#complete.get(name) === what) continue;
      const list = await lists.load(set.owner, id, group);
      if (list === undefined) continue;
      const lacking = await lackingOf(receipts, view, list, targets);
      if ([...lacking.values()].every(({ size }) => size === 0)) {
        this.#complete.set(name, what);
        await this.#queue.drop(name);
        continue;
      }
      this.#queue.start({
        list,
        sites: targets,
        economical: true,
        onSent: (bytes) => this.#sent(id, bytes),
        onRefused: (site, why, value) => this.#refused(id, group, site, why, value),
        onComplete: () => this.#complete.set(name, what),
      });
    }
  }

  #refused(id: SetId, group: number, site: SiteId, why: Refusal, value: number): void {
    if (why === "newer") {
      this.#serial
        .run(async () => {
          const set = this.#own.get(id);
          if (set !== undefined) await raiseGeneration(this.#holder, set, group, value);
        })
        .then(() => this.lookSoon())
        .catch((error: unknown) => {
          this.#holder.log.error("a list could not be signed anew", { error: String(error) });
        });
    } else if (why === "space") {
      const untilMs = this.#holder.clock.monotonicMs() + EXCLUDED_MS;
      this.#excludedUntilMs.set(`${site}/${id}/${group}`, untilMs);
      this.lookSoon();
    }
  }

  #sent(id: SetId, bytes: number): void {
    this.#uncounted.set(id, (this.#uncounted.get(id) ?? 0) + bytes);
    this.#cancelCount ??= this.#holder.clock.after(COUNT_MS, () => {
      this.#cancelCount = undefined;
      this.#serial.run(() => this.#count()).catch(() => {});
    });
  }

  async #count(): Promise<void> {
    for (const [id, bytes] of [...this.#uncounted]) {
      const set = this.#own.get(id);
      if (set === undefined) continue;
      await this.#own.put({ ...set, sentBytes: set.sentBytes + bytes }, "cached");
      this.#uncounted.set(id, (this.#uncounted.get(id) ?? 0) - bytes);
    }
  }
}
