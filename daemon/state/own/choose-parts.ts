/**
 * Which part of a class takes which new version: the one where its key stands, else the first with room.
 */
import { MAX_LIVE_BYTES, MAX_LIVE_RECORDS } from "../../../protocol/logs/document-limits.ts";
import { MAX_PART } from "../../../protocol/logs/envelope.ts";
import { versionCost, type StoredVersion } from "../../core/logs/log-document.ts";
import { StateError } from "../state-error.ts";
import type { Change } from "./own-part.ts";

/** What parts are filled up to by new keys, so that records can still grow. */
const FILL_BYTES = MAX_LIVE_BYTES * 0.8;
const FILL_RECORDS = MAX_LIVE_RECORDS * 0.9;
/**
 * A version that replaces another names it: 64 characters and their head. A part is filled as if all
 * of its records were written anew already, or they would move on then and leave the old ones behind.
 */
const NAME_BYTES = 66;

/** What a part holds, with the changes that were given to it. */
class Filling {
  readonly changes: Change[] = [];
  readonly #costs = new Map<string, number>();
  #bytes = 0;
  /** What the records will take beside that once each replaces one. */
  #growthBytes = 0;

  constructor(held: Iterable<{ readonly key: string; readonly version: StoredVersion }>) {
    for (const { key, version } of held) {
      this.#costs.set(key, Math.max(version.costBytes, this.#costs.get(key) ?? 0));
      this.#bytes += version.costBytes;
      this.#growthBytes += growthOf(version);
    }
  }

  get isEmpty(): boolean {
    return this.#costs.size === 0;
  }

  /** Whether the key stands here and its new version has room in place of the one before. */
  keeps(key: string, cost: number): boolean {
    const before = this.#costs.get(key);
    return before !== undefined && this.#bytes - before + cost <= MAX_LIVE_BYTES;
  }

  /** Whether there is room for a key that does not stand here. */
  hasRoom(costWithGrowth: number): boolean {
    const bytes = this.#bytes + this.#growthBytes + costWithGrowth;
    return bytes <= FILL_BYTES && this.#costs.size < FILL_RECORDS;
  }

  add(change: Change, cost: number): void {
    const [key, version] = change;
    if (!this.#costs.has(key)) this.#growthBytes += growthOf(version);
    this.#bytes += cost - (this.#costs.get(key) ?? 0);
    this.#costs.set(key, cost);
    this.changes.push(change);
  }
}

type VersionsIn = (
  part: number,
) => Iterable<{ readonly key: string; readonly version: StoredVersion }>;

/**
 * @param changes - Each key at most once.
 * @param versionsIn - What counts in a part now.
 * @returns The changes of each part that gets any, in their order.
 * @throws StateError E-STATE-FULL
 */
export function chooseParts(
  changes: readonly Change[],
  versionsIn: VersionsIn,
): ReadonlyMap<number, readonly Change[]> {
  const keys = new Set(changes.map(([key]) => key));
  const parts = new Parts(keys, versionsIn);
  const chosen = new Map<number, readonly Change[]>();
  for (const change of changes) {
    const [key, version] = change;
    const cost = versionCost(key, version);
    const [part, filled] = parts.partFor(change, cost);
    filled.add(change, cost);
    chosen.set(part, filled.changes);
  }
  return chosen;
}

function growthOf({ supersedes }: Change[1]): number {
  return supersedes.length === 0 ? NAME_BYTES : 0;
}

/** The parts in use, and the first that is empty: parts are filled in order. */
class Parts {
  readonly #fillings: Filling[] = [];
  /** Where those of the keys stand that stand anywhere. */
  readonly #homes = new Map<string, number[]>();
  readonly #keys: ReadonlySet<string>;
  readonly #versionsIn: VersionsIn;

  constructor(keys: ReadonlySet<string>, versionsIn: VersionsIn) {
    this.#keys = keys;
    this.#versionsIn = versionsIn;
  }

  partFor([key, version]: Change, cost: number): readonly [number, Filling] {
    while (this.#fillings.at(-1)?.isEmpty !== true && this.#fillings.length <= MAX_PART) {
      this.#look(this.#fillings.length);
    }
    for (const part of this.#homes.get(key) ?? []) {
      const filling = this.#fillings[part];
      if (filling?.keeps(key, cost) === true) return [part, filling];
    }
    const costWithGrowth = cost + growthOf(version);
    const part = this.#fillings.findIndex((filling) => filling.hasRoom(costWithGrowth));
    const filling = this.#fillings[part];
    if (filling !== undefined) return [part, filling];
    throw new StateError("E-STATE-FULL", "This site has no room for more records of this class.");
  }

  #look(part: number): void {
    const held = [...this.#versionsIn(part)];
    for (const key of new Set(held.map((each) => each.key))) {
      if (!this.#keys.has(key)) continue;
      const homes = this.#homes.get(key) ?? [];
      homes.push(part);
      this.#homes.set(key, homes);
    }
    this.#fillings.push(new Filling(held));
  }
}
