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
import { signList } from "../../../../protocol/backup/list.ts";
import {
  holdKey,
  tipsKey,
  tipsRecord,
  type PlaceRecord,
} from "../../../../protocol/logs/record.ts";
import { fetchList } from "../spread/fetch.ts";
import type { Holder } from "../holder.ts";
import { loadList, type LoadedList } from "../lists/list-store.ts";
import type { OwnSet, OwnSets } from "./own-sets.ts";

export class OwnHistory {
  readonly #holder: Holder;
  readonly #own: OwnSets;

  constructor(holder: Holder, own: OwnSets) {
    this.#holder = holder;
    this.#own = own;
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
   * @returns Whether all of its lists could be had; if not, nothing was changed.
   */
  async catchUp(set: SetId, place: PlaceRecord): Promise<boolean> {
    const { owner, groups, groupCount } = place;
    // The rest of what was published is on its way.
    if (groups.length < groupCount) return false;
    const found: LoadedList[] = [];
    for (const [group, { generation }] of groups.entries()) {
      const have = await this.#holder.lists.load(owner, set, group);
      if (have !== undefined && have.header.generation >= generation) continue;
      const list = await this.#fetch(owner, set, group, generation);
      if (list === undefined) return false;
      found.push(list);
    }
    const after: OwnSet = {
      v: 1,
      owner,
      set,
      sealedName: Buffer.from(place.name, "base64"),
      keyEpoch: place.keyEpoch,
      copies: place.copies,
      head: place.head,
      tips: this.#tipsAfter(set, place.head),
      setBackTo: this.#setBackTo(set, place.head),
      targets: groups.map(({ targets }) => [...targets]),
      sentBytes: this.#own.get(set)?.sentBytes ?? 0,
    };
    await this.#holder.lists.put(found, [this.#own.change(after)]);
    this.#own.accept(after);
    this.#holder.log.warn("this directory was older than what the site has published", { set });
    return true;
  }

  /**
   * A holder has a list of ours that is not older than the newest one here: signs the union of
   * both anew, above it. Nothing that either names is lost, and where it serves another snapshot
   * than ours, that one is a tip as well: which of them grew out of the other the next run sees.
   */
  async reconcile(set: OwnSet, group: number, site: SiteId): Promise<void> {
    const ours = await this.#holder.lists.load(set.owner, set.set, group);
    const theirs = await fetchList(this.#holder, site, { owner: set.owner, set: set.set, group });
    if (ours === undefined || theirs === undefined || !this.#isOurs(theirs)) return;
    if (theirs.id === ours.id || theirs.header.generation < ours.header.generation) return;
    const union = new Map([...theirs.entries, ...ours.entries].map((one) => [one.shard, one]));
    const { mesh, owner, groups, sealedName, keyEpoch, copies, head } = ours.header;
    const generation = theirs.header.generation + 1;
    const place = { mesh, owner, set: set.set, group, groups, generation, previous: theirs.id };
    const fields = { ...place, sealedName, keyEpoch, copies, head };
    const signed = signList(this.#holder.siteKey, fields, [...union.values()]);
    const after = withTip(set, theirs.header.head);
    await this.#holder.lists.put([loadList(signed)], [this.#own.change(after)]);
    this.#own.accept(after);
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

  async #fetch(owner: OwnerId, set: SetId, group: number, generation: number) {
    for (const site of this.#sources(owner, set)) {
      const list = await fetchList(this.#holder, site, { owner, set, group }).catch(
        (): undefined => undefined,
      );
      if (list !== undefined && this.#isOurs(list) && list.header.generation >= generation) {
        return list;
      }
    }
    return undefined;
  }

  #isOurs({ header }: LoadedList): boolean {
    const { state, transport } = this.#holder;
    return header.by === transport.self && header.mesh === state.meshId;
  }

  /** Linked sites that say that they hold the set. */
  #sources(owner: OwnerId, set: SetId): readonly SiteId[] {
    const { state, transport } = this.#holder;
    const links = transport.links();
    return state
      .view()
      .entries("hold")
      .filter(({ key, author }) => key === holdKey(owner, set) && links.includes(author))
      .map(({ author }) => author);
  }
}

function withTip(set: OwnSet, head: Head | null): OwnSet {
  const known = [set.head, ...set.tips].some((one) => one?.root === head?.root);
  if (head === null || known || set.tips.length >= MAX_TIPS) return set;
  return { ...set, tips: [...set.tips, head] };
}
