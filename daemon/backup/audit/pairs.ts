/** The holders that are asked, with what is known of each, in memory and in the store. */
import { NO_BYTE_DAYS } from "../../core/backup/audit-account.ts";
import { lossOf, newProgress, type AuditProgress } from "../../core/backup/audit-progress.ts";
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

  constructor(store: PairStore) {
    this.#store = store;
  }

  all(): readonly Pair[] {
    return [...this.#pairs.values()];
  }

  /**
   * The pair of that name. What was found in another store of the holder does not count any more.
   *
   * @param sinceRoundMs - How long ago the last round of a new pair would have been.
   */
  async of(name: PairName, storeId: StoreId, sinceRoundMs: number): Promise<Pair> {
    const key = keyOf(name);
    const known = this.#pairs.get(key);
    const state = known?.state ?? (await this.#store.load(name));
    const isSame = state?.progress.storeId === storeId;
    const fresh = (): PairState => ({
      progress: newProgress(storeId, sinceRoundMs),
      byteDays: state?.byteDays ?? NO_BYTE_DAYS,
    });
    const pair = known ?? {
      ...name,
      state: fresh(),
      notBeforeMs: 0,
      visitedMs: 0,
      busy: false,
      visitMs: 0,
      unsavedMs: 0,
    };
    if (!pair.busy) pair.state = isSame && state !== undefined ? state : fresh();
    this.#pairs.set(key, pair);
    return pair;
  }

  get(name: PairName): Pair | undefined {
    return this.#pairs.get(keyOf(name));
  }

  /** Keeps what a visit found. */
  async keep(pair: Pair, progress: AuditProgress, durability: "durable" | "cached"): Promise<void> {
    pair.state = { ...pair.state, progress };
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
