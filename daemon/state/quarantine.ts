/**
 * Entries that are signed and yet unfit: kept as evidence, and refused from now on.
 *
 * An entry lands here when admission refuses its payload, and when this process died three times
 * while it applied it. To know of which one it died, entries are marked in the store before they
 * are applied: many together in one mark, and after a death each of those by itself. Cached writes
 * are enough for that: they outlive the process, if not the machine.
 */
import type { Envelope } from "../../protocol/logs/envelope.ts";
import { idBytes, idOf, parseId, type EnvelopeId } from "../../protocol/ids.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { GROUP_MARK, markKey, MARKS, QUARANTINE, quarantineKey } from "./keys.ts";

/** Entries kept as evidence; more are refused without being kept. */
const MAX_KEPT = 256;
/** A power cut may hit one moment by chance, hardly three times. */
const MAX_DEATHS = 3;
const ID_BYTES = 32;

export class Quarantine {
  readonly #ids = new Set<EnvelopeId>();
  readonly #deaths = new Map<EnvelopeId, number>();
  readonly #store: Store;
  /** What the mark of the group in the store covers. */
  #marked: ReadonlySet<EnvelopeId> = new Set();

  private constructor(store: Store) {
    this.#store = store;
  }

  /** Reads what is in quarantine, and counts what the last process died of. */
  static async open(store: Store, log: Logger): Promise<Quarantine> {
    const quarantine = new Quarantine(store);
    for await (const [key] of store.entries(QUARANTINE)) {
      const id = parseId<EnvelopeId>(key.slice(QUARANTINE.from.length));
      if (id !== undefined) quarantine.#ids.add(id);
    }
    const changes: StoreChange[] = [];
    for await (const [key, value] of store.entries(MARKS)) {
      changes.push({ kind: "delete", key });
      if (key === GROUP_MARK) {
        const ids = idsIn(value);
        log.warn("the daemon ended while it applied entries", { entries: ids.length });
        for (const id of ids) quarantine.#deaths.set(id, quarantine.#deaths.get(id) ?? 1);
        continue;
      }
      const id = parseId<EnvelopeId>(key.slice(MARKS.from.length));
      if (id === undefined) continue;
      const deaths = (value[0] ?? 0) + 1;
      quarantine.#deaths.set(id, deaths);
      log.warn("the daemon ended while it applied an entry", { id, deaths });
      if (deaths < MAX_DEATHS) continue;
      quarantine.#ids.add(id);
      changes.push({ kind: "put", key: quarantineKey(id), value: new Uint8Array() });
    }
    if (changes.length > 0) await store.write(changes, "durable");
    return quarantine;
  }

  has(id: EnvelopeId): boolean {
    return this.#ids.has(id);
  }

  get size(): number {
    return this.#ids.size;
  }

  /** Marks the entries that are about to be applied, but for those that a process died among. */
  async markGroup(ids: readonly EnvelopeId[]): Promise<void> {
    this.#marked = new Set(ids.filter((id) => !this.#deaths.has(id)));
    if (this.#marked.size === 0) return;
    const value = Buffer.concat([...this.#marked].map(idBytes));
    await this.#store.write([{ kind: "put", key: GROUP_MARK, value }], "cached");
  }

  /** What to write when they were applied. */
  unmarkGroup(): StoreChange[] {
    const changes: StoreChange[] =
      this.#marked.size === 0 ? [] : [{ kind: "delete", key: GROUP_MARK }];
    this.#marked = new Set();
    return changes;
  }

  /** Applies a foreign entry under a mark of its own, unless that of its group covers it. */
  async guard<Result>(id: EnvelopeId, apply: () => Promise<Result>): Promise<Result> {
    if (this.#marked.has(id)) return apply();
    const key = markKey(id);
    const value = Uint8Array.of(this.#deaths.get(id) ?? 0);
    await this.#store.write([{ kind: "put", key, value }], "cached");
    try {
      return await apply();
    } finally {
      await this.#store.write([{ kind: "delete", key }], "cached");
    }
  }

  /** Refuses an entry from now on. Returns what has to be written. */
  add({ id, bytes }: Envelope): StoreChange[] {
    if (this.#ids.size >= MAX_KEPT || this.#ids.has(id)) return [];
    this.#ids.add(id);
    return [{ kind: "put", key: quarantineKey(id), value: bytes }];
  }
}

function idsIn(value: Uint8Array): EnvelopeId[] {
  return Array.from({ length: Math.floor(value.length / ID_BYTES) }, (_, at) =>
    idOf<EnvelopeId>(value.subarray(at * ID_BYTES, (at + 1) * ID_BYTES)),
  );
}
