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

  has(key: string): boolean {
    return this.#costs.has(key);
  }

  fits([key, version]: Change, cost: number): boolean {
    const before = this.#costs.get(key);
    if (before !== undefined) return this.#bytes - before + cost <= MAX_LIVE_BYTES;
    const bytes = this.#bytes + this.#growthBytes + cost + growthOf(version);
    return this.#costs.size < FILL_RECORDS && bytes <= FILL_BYTES;
  }

  add(change: Change, cost: number): void {
    const [key, version] = change;
    if (!this.#costs.has(key)) this.#growthBytes += growthOf(version);
    this.#bytes += cost - (this.#costs.get(key) ?? 0);
    this.#costs.set(key, cost);
    this.changes.push(change);
  }
}

/**
 * @param versionsIn - What counts in a part now.
 * @returns The changes of each part that gets any, in their order.
 * @throws StateError E-STATE-FULL
 */
export function chooseParts(
  changes: readonly Change[],
  versionsIn: (part: number) => Iterable<{ readonly key: string; readonly version: StoredVersion }>,
): ReadonlyMap<number, readonly Change[]> {
  const fillings = new Map<number, Filling>();
  const filling = (part: number): Filling => {
    const filled = fillings.get(part) ?? new Filling(versionsIn(part));
    fillings.set(part, filled);
    return filled;
  };
  const chosen = new Map<number, readonly Change[]>();
  for (const change of changes) {
    const [key, version] = change;
    const cost = versionCost(key, version);
    const part = partFor(change, cost, filling);
    const filled = filling(part);
    filled.add(change, cost);
    chosen.set(part, filled.changes);
  }
  return chosen;
}

function growthOf({ supersedes }: Change[1]): number {
  return supersedes.length === 0 ? NAME_BYTES : 0;
}

function partFor(change: Change, cost: number, filling: (part: number) => Filling): number {
  let fresh: number | undefined;
  for (let part = 0; part <= MAX_PART; part++) {
    const filled = filling(part);
    if (filled.fits(change, cost)) {
      if (filled.has(change[0])) return part;
      fresh ??= part;
    }
    // Parts are filled in order, so an empty one is the end of those in use.
    if (filled.isEmpty) break;
  }
  if (fresh !== undefined) return fresh;
  throw new StateError("E-STATE-FULL", "This site has no room for more records of this class.");
}
