/**
 * Whether this site's directory is older than what it once published, and what to do then.
 *
 * A directory that was restored from a copy knows neither the newest lists nor heads; but the
 * members know its `place` records, and the holders have its signed lists. Until it has caught up
 * with itself, a site must not publish on top of the old ones: what was confirmed would be lost.
 */
import type { OwnerId, SetId, SiteId } from "../../../../protocol/ids.ts";
import { MAX_TIPS } from "../../../core/backup/next-tips.ts";
import { placesIn } from "../../../core/backup/published.ts";
import type { Head } from "../../../../protocol/backup/head.ts";
import {
  holdKey,
  placeKey,
  tipsKey,
  tipsRecord,
  type PlaceRecord,
} from "../../../../protocol/logs/record.ts";
import { fetchList } from "../spread/fetch.ts";
import type { Holder } from "../holder.ts";
import type { LoadedList } from "../lists/list-store.ts";
import { signAnew } from "../lists/sign-anew.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";

/** The rest of a record comes with the same round of replication, or it does not come. */
const REST_MS = 10 * 60_000;

type PublishedGroups = PlaceRecord["groups"];

export class OwnHistory {
  readonly #holder: Holder;
  readonly #own: OwnSets;
  readonly #isLost: (site: SiteId) => boolean;
  /** Since when records of which a part is missing were looked at with all members there. */
  readonly #partialSinceMs = new Map<SetId, number>();

  readonly #signal: AbortSignal;

  /**
   * @param isLost - Whether a site has been away for as long as a holder is waited for.
   * @param signal - Ends what is asked of others at once.
   */
  constructor(
    holder: Holder,
    own: OwnSets,
    isLost: (site: SiteId) => boolean,
    signal: AbortSignal,
  ) {
    this.#holder = holder;
    this.#own = own;
    this.#isLost = isLost;
    this.#signal = signal;
  }

  /** Sets of which the members know a later state than this directory, as they were published. */
  behind(): readonly { readonly set: SetId; readonly place: PlaceRecord }[] {
    const { state, transport } = this.#holder;
    return [...placesIn(state.view())].filter(({ set, author, place }) => {
      return author === transport.self && this.#isBehind(set, place);
    });
  }

  #isBehind(set: SetId, { owner, groups }: PlaceRecord): boolean {
    return groups.some(({ generation }, group) => {
      const list = this.#holder.lists.newest(owner, set, group);
      return list === undefined || list.header.generation < generation;
    });
  }

  /**
   * Takes the published state of a set back from its holders. The line that this directory knew
   * does not go on in that chain: both are shown, and a person picks.
   *
   * Lists that nobody has, as all who may have them say, are gone, or never were: a box that was
   * taken over may publish any. Then the set goes on from the lists that there are.
   *
   * @returns Whether that was possible; if not, nothing was changed.
   */
  async catchUp(set: SetId, place: PlaceRecord): Promise<boolean> {
    const { groups, groupCount } = place;
    // The rest of what was published is on its way.
    if (groups.length < groupCount) return this.#isLate(set, place) && this.#goOnBelow(set);
    this.#partialSinceMs.delete(set);
    const found: LoadedList[] = [];
    if ((groups.length & (groups.length - 1)) !== 0) return this.#goOnBelow(set);
    for (const [group, published] of groups.entries()) {
      const list = await this.#published(set, place, group, published);
      if (list === "unknown") return false;
      if (list?.header.groups !== groups.length) return this.#goOnBelow(set);
      if (this.#holder.lists.newest(place.owner, set, group)?.id !== list.id) found.push(list);
    }
    await this.#take(found, {
      v: 1,
      ...{ owner: place.owner, set },
      sealedName: Buffer.from(place.name, "base64"),
      keyEpoch: place.keyEpoch,
      copies: place.copies,
      head: place.head,
      tips: this.#tipsAfter(set, place.head),
      setBackTo: this.#setBackTo(set, place.head),
      targets: groups.map(({ targets }) => [...targets]),
      sentBytes: this.#own.get(set)?.sentBytes ?? 0,
    });
    this.#holder.log.warn("this directory was older than what the site has published", { set });
    return true;
  }

  /** Whether the rest of a record did not come although all who may have it were there for a while. */
  #isLate(set: SetId, { owner, groups }: PlaceRecord): boolean {
    const { transport, clock } = this.#holder;
    const links = transport.links();
    const isAway = (site: SiteId): boolean => !links.includes(site) && !this.#isLost(site);
    if ([...this.#sources(owner, set, groups)].some(isAway)) {
      this.#partialSinceMs.delete(set);
      return false;
    }
    const sinceMs = this.#partialSinceMs.get(set) ?? clock.monotonicMs();
    this.#partialSinceMs.set(set, sinceMs);
    return clock.monotonicMs() - sinceMs >= REST_MS;
  }

  /** The lists that were published are nowhere: the set goes on from those that are here. */
  async #goOnBelow(set: SetId): Promise<boolean> {
    const { state, log } = this.#holder;
    const own = this.#own.get(set);
    log.warn("nobody has the lists that this site has published; it goes on below them", { set });
    // Whatever members know of the set is found by its next run.
    if (own === undefined) {
      await state.write([{ class: "place", key: placeKey(set), value: undefined }]);
      return true;
    }
    // Others may know of other heads: the next snapshot goes on in no chain.
    await this.#take([], { ...own, setBackTo: own.setBackTo ?? { head: own.head } });
    return true;
  }

  async #take(lists: readonly LoadedList[], after: OwnSet): Promise<void> {
    await this.#holder.lists.put(lists, [this.#own.change(after)]);
    this.#own.accept(after);
  }

  /**
   * A holder has a list of ours that is not older than the newest one here: signs ours anew, above
   * it. What only theirs names is not taken over, because whoever had this box could have sent it,
   * to each holder another; the lock keeps it. The snapshot that theirs serves is a tip: the next
   * run, which has the keys, lists again what can be read of it.
   */
  async reconcile(set: OwnSet, group: number, site: SiteId): Promise<void> {
    const ours = await this.#holder.lists.load(set.owner, set.set, group);
    const wanted = { owner: set.owner, set: set.set, group };
    const theirs = await fetchList(this.#holder, site, wanted, this.#signal);
    if (ours === undefined || theirs === undefined || !this.#isOurs(theirs)) return;
    if (theirs.id === ours.id || theirs.header.generation < ours.header.generation) return;
    const place = { generation: theirs.header.generation + 1, previous: theirs.id };
    const above = signAnew(this.#holder.siteKey, ours, place);
    await this.#take([above], withTip(set, theirs.header.head));
  }

  /** What stood beside the head, here and as it was published. */
  #tipsAfter(set: SetId, head: Head | null): Head[] {
    const { state, transport } = this.#holder;
    const entry = state.view().get("place", tipsKey(set), transport.self);
    const told = tipsRecord.safeParse(entry?.value);
    const tips = [...(told.success ? told.data.tips : []), ...(this.#own.get(set)?.tips ?? [])];
    const unique = new Map(tips.map((tip) => [tip.root, tip]));
    return [...unique.values()].filter(({ root }) => root !== head?.root).slice(0, MAX_TIPS);
  }

  /** The line of a directory that was set back twice is the one before. */
  #setBackTo(set: SetId, head: Head | null): OwnSet["setBackTo"] {
    const own = this.#own.get(set);
    const isNewest = (own?.head ?? null)?.root === head?.root;
    if (isNewest) return own?.setBackTo ?? null;
    return own?.setBackTo ?? { head: own?.head ?? null };
  }

  /**
   * The list of a group as it was published, or a later one of ours. Undefined when all who may
   * have it have said that they do not; "unknown" while somebody was not asked.
   */
  async #published(
    set: SetId,
    { owner, groups }: PlaceRecord,
    group: number,
    { generation }: PublishedGroups[number],
  ): Promise<LoadedList | undefined | "unknown"> {
    const have = await this.#holder.lists.load(owner, set, group);
    if (have !== undefined && have.header.generation >= generation) return have;
    const links = this.#holder.transport.links();
    let isKnown = true;
    for (const site of this.#sources(owner, set, groups)) {
      if (!links.includes(site)) {
        isKnown &&= this.#isLost(site);
        continue;
      }
      try {
        const wanted = { owner, set, group };
        const list = await fetchList(this.#holder, site, wanted, this.#signal);
        if (list !== undefined && this.#isOurs(list) && list.header.generation >= generation) {
          return list;
        }
      } catch {
        isKnown = false;
      }
    }
    return isKnown ? undefined : "unknown";
  }

  #isOurs({ header }: LoadedList): boolean {
    const { state, transport } = this.#holder;
    return header.by === transport.self && header.mesh === state.meshId;
  }

  /** Members that say that they hold the set, and those that were to hold it. */
  #sources(owner: OwnerId, set: SetId, groups: PublishedGroups): ReadonlySet<SiteId> {
    const { state, transport } = this.#holder;
    const holding = state
      .view()
      .entries("hold")
      .filter(({ key }) => key === holdKey(owner, set))
      .map(({ author }) => author);
    const chosen = this.#own.get(set)?.targets.flat() ?? [];
    const published = groups.flatMap(({ targets }) => targets);
    const all = new Set<SiteId>([...holding, ...published, ...chosen]);
    all.delete(transport.self);
    return all.intersection(state.authority().sites);
  }
}

function withTip(set: OwnSet, head: Head | null): OwnSet {
  const known = [set.head, ...set.tips].some((one) => one?.root === head?.root);
  if (head === null || known || set.tips.length >= MAX_TIPS) return set;
  return { ...set, tips: [...set.tips, head] };
}
