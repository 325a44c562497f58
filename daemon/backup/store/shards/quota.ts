/**
 * How much this site holds for others, and whether more fits into what it lends.
 *
 * Counted from the files at the start, then with each shard, for each owner. A list reserves its
 * room before its shards come, so two owners cannot both be promised the last gigabyte. Nothing
 * that is stored is ever evicted: what does not fit is refused.
 */
import type { OwnerId } from "../../../../protocol/ids.ts";

interface Account {
  usedBytes: number;
  reservedBytes: number;
}

export class Quota {
  readonly #giveBytes: () => number;
  readonly #listBytes: (owner: OwnerId) => number;
  readonly #owners = new Map<OwnerId, Account>();

  /**
   * @param giveBytes - What is lent now; a reload of the configuration may change it.
   * @param listBytes - What an owner's lists take, with those that are remembered.
   */
  constructor(giveBytes: () => number, listBytes: (owner: OwnerId) => number) {
    this.#giveBytes = giveBytes;
    this.#listBytes = listBytes;
  }

  /** What is lent, in bytes. */
  get spaceBytes(): number {
    return this.#giveBytes();
  }

  /** What lies on the disk of an owner, its lists included, in bytes. */
  usedBy(owner: OwnerId): number {
    return this.#of(owner).usedBytes + this.#listBytes(owner);
  }

  get usedBytes(): number {
    return this.#owners.values().reduce((sum, { usedBytes }) => sum + usedBytes, 0);
  }

  get freeBytes(): number {
    const takenBytes = this.#owners
      .values()
      .reduce((sum, { usedBytes, reservedBytes }) => sum + usedBytes + reservedBytes, 0);
    return Math.max(0, this.spaceBytes - takenBytes);
  }

  /** What an owner may still store. @param roomBytes - How much of what is lent it may use. */
  freeFor(owner: OwnerId, roomBytes: number): number {
    const { usedBytes, reservedBytes } = this.#of(owner);
    const ownBytes = usedBytes + reservedBytes + this.#listBytes(owner);
    return Math.max(0, Math.min(this.freeBytes, roomBytes - ownBytes));
  }

  /** So much more of an owner's lies on the disk. */
  stored(owner: OwnerId, bytes: number): void {
    this.#of(owner).usedBytes += bytes;
  }

  /** So much of an owner's is not on the disk any more. */
  removed(owner: OwnerId, bytes: number): void {
    const account = this.#of(owner);
    account.usedBytes = Math.max(0, account.usedBytes - bytes);
  }

  /** Undefined when it does not fit. */
  reserve(owner: OwnerId, bytes: number, roomBytes: number): Reservation | undefined {
    if (bytes > this.freeFor(owner, roomBytes)) return undefined;
    const account = this.#of(owner);
    let leftBytes = bytes;
    account.reservedBytes += bytes;
    const give = (backBytes: number): number => {
      const back = Math.min(leftBytes, backBytes);
      leftBytes -= back;
      account.reservedBytes -= back;
      return back;
    };
    return { used: (used) => void give(used), release: () => give(leftBytes) };
  }

  #of(owner: OwnerId): Account {
    const found = this.#owners.get(owner) ?? { usedBytes: 0, reservedBytes: 0 };
    this.#owners.set(owner, found);
    return found;
  }
}

export interface Reservation {
  /** So much of it is stored now and counted as such. */
  used(bytes: number): void;
  /** Gives back what was not used, and says how much that is. */
  release(): number;
}
