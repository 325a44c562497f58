/**
 * The lists that this site signed or holds: the newest of each group, the one before it, and the
 * newest of which every shard came. An owner may be lost while a list is still being filled; then
 * the last one that was filled says what can be recovered. What newer lists have replaced is
 * remembered in part; see keep/past-lists.ts.
 *
 * Headers stay in memory, entries are read when needed. What is read back is verified again,
 * because the store does not detect damage: a damaged list counts as absent.
 */
import { z } from "zod";
import { prefixRange, type Store, type StoreChange } from "../../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../../protocol/encoding/cbor.ts";
import { parseId, type ListId, type OwnerId, type SetId } from "../../../../protocol/ids.ts";
import {
  listId,
  openList,
  type ListEntry,
  type ListHeader,
  type SignedList,
} from "../../../../protocol/backup/list.ts";
import {
  forgetPast,
  givenWay,
  pastChange,
  pastSizes,
  readPast,
  type PastList,
} from "../../keep/past-lists.ts";
import { countField } from "../../../../protocol/encoding/wire-field.ts";
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
const TAKEN = "backup/list/taken/";
const PREFIXES = { newest: NEWEST, before: BEFORE, complete: COMPLETE };
/** A list with the most entries that there may be, and its header. */
const MAX_STORED_BYTES = 3 * 1024 * 1024;

const MAX_TAKEN_BYTES = 256;

const stored = z.strictObject({
  header: z.instanceof(Uint8Array),
  signature: z.instanceof(Uint8Array),
  entries: z.instanceof(Uint8Array),
});

/** What this site counts of a group's lists, whoever signs them. */
const taken = z.strictObject({
  v: z.literal(1),
  /** How many were taken in. */
  count: countField(1),
  /** Running time at which the newest one was. */
  atMs: countField(0),
  /** The highest generation of any. */
  topGeneration: countField(0),
});
export type TakenList = z.output<typeof taken>;

export class ListStore {
  readonly #store: Store;
  readonly #runningMs: () => number;
  readonly #newest: Map<string, KnownList>;
  readonly #taken: Map<string, TakenList>;
  /** What the lists of an owner take, those that are remembered included. */
  readonly #bytes: Map<OwnerId, number>;

  private constructor(
    store: Store,
    runningMs: () => number,
    newest: Map<string, KnownList>,
    counted: Map<string, TakenList>,
    bytes: Map<OwnerId, number>,
  ) {
    this.#store = store;
    this.#runningMs = runningMs;
    this.#newest = newest;
    this.#taken = counted;
    this.#bytes = bytes;
  }

  /** @param runningMs - The running time of this site; see keep/running-time.ts. */
  static async open(store: Store, runningMs: () => number): Promise<ListStore> {
    const newest = new Map<string, KnownList>();
    const counted = new Map<string, TakenList>();
    for await (const [key, value] of store.entries(prefixRange(TAKEN))) {
      const parsed = taken.safeParse(decodeCbor(value, MAX_TAKEN_BYTES));
      if (parsed.success) counted.set(key.slice(TAKEN.length), parsed.data);
    }
    const bytes = new Map<OwnerId, number>();
    for await (const [name, sizeBytes] of pastSizes(store)) addBytes(bytes, name, sizeBytes);
    for await (const [key, value] of store.entries(prefixRange(NEWEST))) {
      addBytes(bytes, key.slice(NEWEST.length), value.length);
      const list = read(value);
      if (list !== undefined) newest.set(key.slice(NEWEST.length), withoutEntries(list));
    }
    return new ListStore(store, runningMs, newest, counted, bytes);
  }

  newest(owner: OwnerId, set: SetId, group: number): KnownList | undefined {
    return this.#newest.get(nameOf(owner, set, group));
  }

  /** What is counted of a group. Undefined while no list of it was taken in. */
  taken(owner: OwnerId, set: SetId, group: number): TakenList | undefined {
    return this.#taken.get(nameOf(owner, set, group));
  }

  /** How much the lists of an owner take on disk, those that are remembered included, in bytes. */
  storedBytes(owner: OwnerId): number {
    return this.#bytes.get(owner) ?? 0;
  }

  /** How the lists of a group gave way to one another, oldest first. @throws when unreadable. */
  past(owner: OwnerId, set: SetId, group: number): Promise<PastList[]> {
    return readPast(this.#store, nameOf(owner, set, group));
  }

  /** The oldest replaced lists of a group need not be remembered any more. */
  async forget(owner: OwnerId, set: SetId, group: number, past: readonly PastList[]) {
    const name = nameOf(owner, set, group);
    await this.#store.write(
      past.map((one) => forgetPast(name, one)),
      "cached",
    );
    for (const { storedBytes } of past) addBytes(this.#bytes, name, -storedBytes);
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
    const counted = new Map<string, TakenList>();
    const grown: [string, number][] = [];
    for (const list of lists) {
      const { owner, set, group, generation } = list.header;
      const name = nameOf(owner, set, group);
      const value = encodeCbor({ ...list.signed });
      changes.push({ kind: "put", key: NEWEST + name, value });
      // The same list comes once more when its transfer was cut off.
      if (this.#newest.get(name)?.id === list.id) continue;
      const atMs = this.#runningMs();
      const { count, topGeneration } = this.#taken.get(name) ?? { count: 0, topGeneration: 0 };
      const before = await this.#store.get(NEWEST + name);
      const replaced = this.#replaced(name, before, list, count, atMs);
      changes.push(...replaced.changes);
      const listBytes = value.length - (before?.length ?? 0);
      grown.push([name, listBytes + replaced.pastBytes]);
      const top = Math.max(topGeneration, generation);
      const now: TakenList = { v: 1, count: count + 1, atMs, topGeneration: top };
      changes.push({ kind: "put", key: TAKEN + name, value: encodeCbor(now) });
      counted.set(name, now);
    }
    await this.#store.write(changes, "durable");
    for (const list of lists) {
      const { owner, set, group } = list.header;
      this.#newest.set(nameOf(owner, set, group), withoutEntries(list));
    }
    for (const [name, now] of counted) this.#taken.set(name, now);
    for (const [name, sizeBytes] of grown) addBytes(this.#bytes, name, sizeBytes);
  }

  /** What is to be remembered of the list whose place another one takes. */
  #replaced(
    name: string,
    value: Uint8Array | undefined,
    next: LoadedList,
    count: number,
    atMs: number,
  ): { changes: StoreChange[]; pastBytes: number } {
    if (value === undefined) return { changes: [], pastBytes: 0 };
    const changes: StoreChange[] = [{ kind: "put", key: BEFORE + name, value }];
    const before = read(value);
    const past =
      before === undefined ? undefined : givenWay(before, next, Math.max(1, count), atMs);
    if (past !== undefined) changes.push(pastChange(name, past));
    return { changes, pastBytes: past?.storedBytes ?? 0 };
  }

  /**
   * Lets the lists of a group go, the remembered ones included, together with other changes: all or
   * nothing. How many there were stays known, so that nobody takes this for an older directory.
   */
  async letGo(
    owner: OwnerId,
    set: SetId,
    group: number,
    alongside: readonly StoreChange[],
  ): Promise<void> {
    const name = nameOf(owner, set, group);
    const past = await this.past(owner, set, group);
    const newest = await this.#store.get(NEWEST + name);
    const keys = [NEWEST + name, BEFORE + name, COMPLETE + name];
    await this.#store.write(
      [
        ...alongside,
        ...keys.map((key): StoreChange => ({ kind: "delete", key })),
        ...past.map((one) => forgetPast(name, one)),
      ],
      "durable",
    );
    const pastBytes = past.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    addBytes(this.#bytes, name, -(newest?.length ?? 0) - pastBytes);
    this.#newest.delete(name);
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

function addBytes(bytes: Map<OwnerId, number>, group: string, sizeBytes: number): void {
  const owner = parseId<OwnerId>(group.slice(0, group.indexOf("/")));
  if (owner !== undefined) bytes.set(owner, (bytes.get(owner) ?? 0) + sizeBytes);
}

function nameOf(owner: OwnerId, set: SetId, group: number): string {
  return groupName({ owner, set, group });
}
