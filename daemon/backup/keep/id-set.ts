/**
 * Very many identifiers in little memory: eight bytes each, sorted, none removed.
 *
 * Only the first 64 bits are compared. Whoever makes two identifiers agree in them makes one of
 * them look as if it were in the set, so a caller must ask in such a way that "in the set" is the
 * harmless answer: named, here, not to be deleted.
 */
import { idBytes, type ShardId } from "../../../protocol/ids.ts";

const FIRST_ROOM = 1024;

export class IdSet {
  #ids = new BigUint64Array(FIRST_ROOM);
  #size = 0;
  #isSorted = true;

  add(id: ShardId): void {
    if (this.#size === this.#ids.length) {
      const larger = new BigUint64Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids[this.#size++] = keyOf(id);
    this.#isSorted = false;
  }

  has(id: ShardId): boolean {
    if (!this.#isSorted) {
      this.#ids.subarray(0, this.#size).sort();
      this.#isSorted = true;
    }
    const wanted = keyOf(id);
    let from = 0;
    let to = this.#size;
    while (from < to) {
      const middle = (from + to) >> 1;
      const found = this.#ids[middle] ?? 0n;
      if (found === wanted) return true;
      if (found < wanted) from = middle + 1;
      else to = middle;
    }
    return false;
  }
}

function keyOf(id: ShardId): bigint {
  const bytes = idBytes(id);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
}
