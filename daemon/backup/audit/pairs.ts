/** The holders that are asked, with what is known of each, in memory and in the store. */
import { NO_BYTE_DAYS } from "../../core/backup/audit-account.ts";
import {
  inStore,
  lossOf,
  newProgress,
  type AuditProgress,
} from "../../core/backup/audit-progress.ts";
import type { SiteId, StoreId } from "../../../protocol/ids.ts";
import type { PairName, PairState, PairStore } from "./pair-store.ts";

export interface Pair extends PairName {
  state: PairState;
  /** No visit before this, by the monotonic clock. */
  notBeforeMs: number;
  /** When it was visited last, by the monotonic clock; 0 before the first time. */
  visitedMs: number;
  /** A visit is under way. */
  busy: boolean;
  /** Running time that passed during the visit, to be counted after it. */
  visitMs: number;
  /** Running time that is not in the store yet. */
  unsavedMs: number;
}

export class Pairs {
  readonly #store: PairStore;
  readonly #pairs = new Map<string, Pair>();

  private constructor(store: PairStore) {
    this.#store = store;
  }

  /** With all that was found before: also of those that are asked no more. */
  static async open(store: PairStore): Promise<Pairs> {
    const pairs = new Pairs(store);
    for await (const [name, state] of store.all()) pairs.#add(name, state);
    return pairs;
  }

  all(): readonly Pair[] {
    return [...this.#pairs.values()];
  }

  /**
   * The pair of that name, as of the store that its holder has now.
   *
   * @param sinceRoundMs - How long ago the last round in a new store would have been.
   */
  of(name: PairName, storeId: StoreId, sinceRoundMs: number): Pair {
    const progress = newProgress(storeId, sinceRoundMs);
    const pair =
      this.#pairs.get(keyOf(name)) ?? this.#add(name, { progress, byteDays: NO_BYTE_DAYS });
    if (!pair.busy) {
      const moved = inStore(pair.state.progress, storeId, sinceRoundMs);
      pair.state = { ...pair.state, progress: moved };
    }
    return pair;
  }

  #add(name: PairName, state: PairState): Pair {
    const times = { notBeforeMs: 0, visitedMs: 0, visitMs: 0, unsavedMs: 0 };
    const pair: Pair = { ...name, state, ...times, busy: false };
    this.#pairs.set(keyOf(name), pair);
    return pair;
  }

  get(name: PairName): Pair | undefined {
    return this.#pairs.get(keyOf(name));
  }

  /** Takes in what a visit found so far; {@link save} writes it down. */
  note(pair: Pair, progress: AuditProgress): void {
    pair.state = { ...pair.state, progress };
  }

  /** Keeps what a visit found. */
  async keep(pair: Pair, progress: AuditProgress, durability: "durable" | "cached"): Promise<void> {
    this.note(pair, progress);
    await this.save(pair, durability);
  }

  async save(pair: Pair, durability: "durable" | "cached"): Promise<void> {
    pair.unsavedMs = 0;
    await this.#store.save(pair, pair.state, durability);
  }

  /** Holders of a set that are asked no more, because they lost what they had or fell silent. */
  goneFrom(
    { owner, set }: Omit<PairName, "site">,
    asked: readonly Pick<PairName, "site">[],
    silent: ReadonlySet<SiteId>,
  ): Pair[] {
    const current = new Set(asked.map(({ site }) => site));
    return this.all().filter((pair) => {
      if (pair.owner !== owner || pair.set !== set || current.has(pair.site)) return false;
      return hasLost(pair) || silent.has(pair.site);
    });
  }

  /**
   * Forgets those that are not asked any more; who lost something only after some time, who is silent
   * not before it is heard. Else each would be chosen again as soon as another takes its place.
   */
  async retain(
    names: Iterable<PairName>,
    silent: ReadonlySet<SiteId>,
    lostForMs: number,
  ): Promise<void> {
    const kept = new Set([...names].map(keyOf));
    for (const [key, pair] of this.#pairs) {
      if (kept.has(key) || pair.busy || silent.has(pair.site)) continue;
      if (hasLost(pair) && pair.state.progress.sinceRoundMs < lostForMs) continue;
      this.#pairs.delete(key);
      await this.#store.forget(pair);
    }
  }
}

function hasLost({ state }: Pair): boolean {
  return lossOf(state.progress, [{ group: 0, shards: 1 }]).shards > 0;
}

function keyOf({ site, owner, set }: PairName): string {
  return `${owner}/${set}/${site}`;
}
