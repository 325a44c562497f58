/**
 * The lists that this site signed or holds: the newest of each group, the one before it, and the
 * newest of which every shard came. An owner may be lost while a list is still being filled; then
 * the last one that was filled says what can be recovered.
 *
 * Headers stay in memory, entries are read when needed. What is read back is verified again,
 * because the store does not detect damage: a damaged list counts as absent.
 */
import { z } from "zod";
import { prefixRange, type Store, type StoreChange } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/cbor.ts";
import type { ListId, OwnerId, SetId } from "../../../protocol/ids.ts";
import {
  listId,
  openList,
  type ListEntry,
  type ListHeader,
  type SignedList,
} from "../../../protocol/list.ts";
import { groupName } from "./group-name.ts";

/** A list that was verified, without its entries. */
export interface KnownList {
  readonly id: ListId;
  readonly header: ListHeader;
}

export interface LoadedList extends KnownList {
  readonly signed: SignedList;
  readonly entries: readonly ListEntry[];
}

const NEWEST = "backup/list/newest/";
const BEFORE = "backup/list/before/";
const COMPLETE = "backup/list/complete/";
const PREFIXES = { newest: NEWEST, before: BEFORE, complete: COMPLETE };
/** A list with the most entries that there may be, and its header. */
const MAX_STORED_BYTES = 3 * 1024 * 1024;

const stored = z.strictObject({
  header: z.instanceof(Uint8Array),
  signature: z.instanceof(Uint8Array),
  entries: z.instanceof(Uint8Array),
});

export class ListStore {
  readonly #store: Store;
  readonly #newest: Map<string, KnownList>;

  private constructor(store: Store, newest: Map<string, KnownList>) {
    this.#store = store;
    this.#newest = newest;
  }

  static async open(store: Store): Promise<ListStore> {
    const newest = new Map<string, KnownList>();
    for await (const [key, value] of store.entries(prefixRange(NEWEST))) {
      const list = read(value);
      if (list !== undefined) newest.set(key.slice(NEWEST.length), withoutEntries(list));
    }
    return new ListStore(store, newest);
  }

  newest(owner: OwnerId, set: SetId, group: number): KnownList | undefined {
    return this.#newest.get(nameOf(owner, set, group));
  }

  /** The newest lists of all groups, of one owner or of one of its sets. */
  all(owner?: OwnerId, set?: SetId): KnownList[] {
    return this.#newest
      .values()
      .filter(({ header }) => owner === undefined || header.owner === owner)
      .filter(({ header }) => set === undefined || header.set === set)
      .toArray();
  }

  /** A list with its entries: the newest of a group, the one before it, or the newest full one. */
  async load(
    owner: OwnerId,
    set: SetId,
    group: number,
    which: keyof typeof PREFIXES = "newest",
  ): Promise<LoadedList | undefined> {
    const value = await this.#store.get(PREFIXES[which] + nameOf(owner, set, group));
    return value === undefined ? undefined : read(value);
  }

  /**
   * Makes lists the newest of their groups, durably, together with other changes: all or nothing.
   */
  async put(lists: readonly LoadedList[], alongside: readonly StoreChange[] = []): Promise<void> {
    const changes: StoreChange[] = [...alongside];
    for (const { id, header, signed } of lists) {
      const name = nameOf(header.owner, header.set, header.group);
      const before = await this.#store.get(NEWEST + name);
      // The same list comes once more when its transfer was cut off.
      const isOther = this.#newest.get(name)?.id !== id;
      if (before !== undefined && isOther)
        changes.push({ kind: "put", key: BEFORE + name, value: before });
      changes.push({ kind: "put", key: NEWEST + name, value: encodeCbor({ ...signed }) });
    }
    await this.#store.write(changes, "durable");
    for (const list of lists) {
      const { owner, set, group } = list.header;
      this.#newest.set(nameOf(owner, set, group), withoutEntries(list));
    }
  }

  /** Every shard of the list is durable here. Remembered once for each list. */
  async noteComplete({ id, header, signed }: LoadedList): Promise<void> {
    const { owner, set, group } = header;
    if ((await this.load(owner, set, group, "complete"))?.id === id) return;
    const key = COMPLETE + nameOf(owner, set, group);
    await this.#store.write([{ kind: "put", key, value: encodeCbor({ ...signed }) }], "durable");
  }
}

/** A verified list in all its forms. @throws ListError when anything in it is wrong. */
export function loadList(signed: SignedList): LoadedList {
  return { id: listId(signed.header), signed, ...openList(signed) };
}

function read(value: Uint8Array): LoadedList | undefined {
  try {
    return loadList(stored.parse(decodeCbor(value, MAX_STORED_BYTES)));
  } catch {
    return undefined;
  }
}

function withoutEntries({ id, header }: KnownList): KnownList {
  return { id, header };
}

function nameOf(owner: OwnerId, set: SetId, group: number): string {
  return groupName({ owner, set, group });
}
