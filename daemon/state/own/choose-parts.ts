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

/** One version that counts in a part. */
interface PartVersion {
  /** The log that it stands in. */
  readonly held: object;
  readonly key: string;
  readonly version: StoredVersion;
}

/** What a part holds, with the changes that were given to it. */
class Filling {
  readonly changes: Change[] = [];
  /** Of the keys that are to change. */
  readonly #costs = new Map<string, number>();
  /** How many keys stand here. */
  #count: number;
  #bytes = 0;
  /** What the records will take beside that once each replaces one. */
  #growthBytes = 0;

  constructor(versions: readonly PartVersion[], changing: ReadonlySet<string>) {
    for (const { key, version } of versions) {
      this.#bytes += version.costBytes;
      this.#growthBytes += growthOf(version);
      if (!changing.has(key)) continue;
      this.#costs.set(key, Math.max(version.costBytes, this.#costs.get(key) ?? 0));
    }
    const log = versions[0]?.held;
    // A log has each key once; nearly always there is one.
    const isOne = versions.every(({ held }) => held === log);
    this.#count = isOne ? versions.length : new Set(versions.map(({ key }) => key)).size;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Those of the changing keys that stand here. */
  get keys(): Iterable<string> {
    return this.#costs.keys();
  }

  /** Whether the key stands here and its new version has room in place of the one before. */
  keeps(key: string, cost: number): boolean {
    const before = this.#costs.get(key);
    return before !== undefined && this.#bytes - before + cost <= MAX_LIVE_BYTES;
  }

  /** Whether there is room for a key that does not stand here. */
  hasRoom(costWithGrowth: number): boolean {
    const bytes = this.#bytes + this.#growthBytes + costWithGrowth;
    return bytes <= FILL_BYTES && this.#count < FILL_RECORDS;
  }

  add(change: Change, cost: number): void {
    const [key, version] = change;
    if (!this.#costs.has(key)) {
      this.#growthBytes += growthOf(version);
      this.#count += 1;
    }
    this.#bytes += cost - (this.#costs.get(key) ?? 0);
    this.#costs.set(key, cost);
    this.changes.push(change);
  }
}

type VersionsIn = (part: number) => Iterable<PartVersion>;

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
    const filling = new Filling([...this.#versionsIn(part)], this.#keys);
    for (const key of filling.keys) {
      const homes = this.#homes.get(key) ?? [];
      homes.push(part);
      this.#homes.set(key, homes);
    }
    this.#fillings.push(filling);
  }
}
