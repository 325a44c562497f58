/**
 * The owner's side: keeps every own data set on its way to as many other sites as are wanted.
 *
 * Looks at all groups after each change that may matter (a commit, a member, an offer, a link)
 * and from time to time; has sites chosen, publishes the choice in the `place` record, and sets
 * chains to work.
 */
import { changedPages } from "../../../core/backup/changed-pages.ts";
import { hasLetGo } from "../../../core/backup/let-go.ts";
import { sameJson } from "../../../../protocol/encoding/json-value.ts";
import type { SetId, SiteId } from "../../../../protocol/ids.ts";
import { placeRecords } from "../../../../protocol/logs/record-pages.ts";
import { tipsKey, type PlaceRecord } from "../../../../protocol/logs/record.ts";
import type { Refusal } from "../../../../protocol/messages/shard-message.ts";
import { RepeatedWork } from "../../repeated-work.ts";
import { sameSites, type ChainQueue } from "./chain-queue.ts";
import { groupName } from "../lists/group-name.ts";
import type { Holder } from "../holder.ts";
import { lackingOf, offerOf } from "../lists/lacking.ts";
import { OwnHistory } from "../own/own-history.ts";
import type { OwnRules } from "../own/own-rules.ts";
import type { OwnSet, OwnSets } from "../own/own-sets.ts";
import type { Serial } from "../serial.ts";
import { Targets, type SpreadTimes } from "./targets.ts";

/** Changes that come together are looked at together. */
const GATHER_MS = 100;
const MOST_BETWEEN_LOOKS_MS = 60_000;
/** How often the count of sent bytes is written down. */
const COUNT_MS = 2000;

export class Spreader {
  readonly targets: Targets;
  readonly history: OwnHistory;
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #rules: OwnRules;
  readonly #queue: ChainQueue;
  /** Commits, raised generations and new targets of all sets: one after another. */
  readonly #serial: Serial;
  /** Groups that are complete, with what that was seen for. */
  readonly #complete = new Map<string, string>();
  readonly #uncounted = new Map<SetId, number>();
  readonly #stops: (() => void)[] = [];
  readonly #looks: RepeatedWork;
  #cancelCount: (() => void) | undefined;

  constructor(
    holder: Holder,
    own: OwnSets,
    rules: OwnRules,
    queue: ChainQueue,
    serial: Serial,
    times: SpreadTimes,
  ) {
    this.#holder = holder;
    this.#own = own;
    this.#rules = rules;
    this.#queue = queue;
    this.#serial = serial;
    this.targets = new Targets(holder, rules, times);
    this.#looks = new RepeatedWork(holder.clock, () =>
      serial
        .run(() => this.#look())
        .catch((error: unknown) => {
          holder.log.error("copies could not be looked at", { error: String(error) });
        })
        .then(() => Math.min(MOST_BETWEEN_LOOKS_MS, times.silentMs / 2, times.lostMs / 2)),
    );
    const isLost = (site: SiteId): boolean => this.targets.isLost(site);
    this.history = new OwnHistory(holder, own, isLost, this.#looks.signal);
  }

  start(): void {
    const { transport, state } = this.#holder;
    this.#stops.push(
      state.subscribe(() => this.lookSoon()),
      transport.onLink(() => {
        this.targets.noteSilence();
        this.lookSoon();
      }),
    );
    this.lookSoon();
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#looks.stop();
    this.#cancelCount?.();
    await this.#serial.run(() => this.#count());
  }

  /** Looks at all sets shortly: what changed just before is seen. */
  lookSoon(delayMs = GATHER_MS): void {
    this.#looks.within(delayMs);
  }

  /** Bytes of shards that this site sent for a set, with those not yet written down. */
  sentBytes(set: OwnSet): number {
    return set.sentBytes + (this.#uncounted.get(set.set) ?? 0);
  }

  async #look(): Promise<void> {
    if (this.#holder.state.meshId === undefined || this.#looks.isStopped) return;
    this.targets.noteSilence();
    const waiting = new Set<SetId>();
    for (const { set, place } of this.history.behind()) {
      if (!(await this.history.catchUp(set, place))) waiting.add(set);
    }
    for (const set of this.#own.all()) {
      if (waiting.has(set.set)) continue;
      await this.#choose(set);
      await this.#publish(set.set);
      await this.#work(set.set);
    }
  }

  async #choose(set: OwnSet): Promise<void> {
    const targets: SiteId[][] = [];
    for (const group of set.targets.keys()) {
      targets.push([...(await this.targets.choose(set, group))]);
    }
    if (targets.some((sites, group) => !sameSites(sites, set.targets[group] ?? []))) {
      await this.#own.put({ ...(this.#own.get(set.set) ?? set), targets }, "durable");
    }
  }

  /** Writes the records of a set in class `place` when they are not what the view shows. */
  async #publish(id: SetId): Promise<void> {
    const set = this.#own.get(id);
    if (set === undefined) return;
    const { state, transport } = this.#holder;
    const records = placeRecords(id, this.#placeOf(set));
    const places = changedPages(state.view(), transport.self, "place", records);
    if (places.length > 0) await state.write(places);
    const tips = set.tips.length === 0 ? undefined : { tips: set.tips.map((tip) => ({ ...tip })) };
    const shown = state.view().get("place", tipsKey(id), transport.self)?.value;
    if (shown === undefined && tips === undefined) return;
    if (shown !== undefined && tips !== undefined && sameJson(shown, tips)) return;
    await state.write([{ class: "place", key: tipsKey(id), value: tips }]);
  }

  #placeOf(set: OwnSet): PlaceRecord {
    const { allow, deny, holders } = this.#rules.published(set.set, this.#holder.state.authority());
    const groups = set.targets.flatMap((targets, group) => {
      const list = this.#holder.lists.newest(set.owner, set.set, group);
      if (list === undefined) return [];
      const { generation, shards, bytes } = list.header;
      return [{ targets, generation, list: list.id, shards, bytes }];
    });
    return {
      owner: set.owner,
      name: Buffer.from(set.sealedName).toString("base64"),
      keyEpoch: set.keyEpoch,
      copies: set.copies,
      head: set.head,
      rules: {
        allow: [...allow],
        deny: [...deny],
        holders: holders === null ? null : [...holders],
      },
      groupCount: groups.length,
      groups,
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
      const stores = targets.map((site) => {
        const isGone = hasLetGo(view, site, known.header);
        return `${site}:${offerOf(view, site)?.storeId ?? ""}${isGone ? "!" : ""}`;
      });
      const what = `${known.id} ${stores.join(" ")}`;
      const name = groupName({ owner: set.owner, set: id, group });
      if (this.#complete.get(name) === what) continue;
      const list = await lists.load(set.owner, id, group);
      if (list === undefined) continue;
      const lacking = await lackingOf(receipts, view, list, targets);
      // Who breaks the owner's rules gets nothing new, and may pass on what it has.
      const sites = targets.filter((site) => {
        return lacking.get(site)?.size === 0 || this.targets.mayGet(id, site);
      });
      if (sites.every((site) => lacking.get(site)?.size === 0)) {
        this.#complete.set(name, what);
        await this.#queue.drop(name);
        continue;
      }
      this.#queue.start({
        list,
        sites,
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
          if (set !== undefined) await this.history.reconcile(set, group, site);
        })
        .then(() => this.lookSoon())
        .catch((error: unknown) => {
          this.#holder.log.error("a list could not be signed anew", { error: String(error) });
        });
    } else if (this.targets.refusals.note(id, group, site, why, value)) {
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
