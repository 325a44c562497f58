/**
 * Entries that are signed and yet unfit: kept as evidence, and refused from now on.
 *
 * An entry lands here when admission refuses its payload, and when this process died three times
 * while it applied it.
 */
import type { Envelope } from "../../protocol/envelope.ts";
import { parseId, type EnvelopeId } from "../../protocol/ids.ts";
import type { Store, StoreChange } from "../core/store.ts";
import type { Logger } from "../observe/log.ts";
import { MARKS, QUARANTINE, quarantineKey } from "./keys.ts";

/** Entries kept as evidence; more are refused without being kept. */
const MAX_KEPT = 256;
/** A power cut may hit one moment by chance, hardly three times. */
const MAX_DEATHS = 3;

export class Quarantine {
  readonly #ids = new Set<EnvelopeId>();
  readonly #deaths = new Map<EnvelopeId, number>();

  /** Reads what is in quarantine, and counts what the last process died of. */
  static async open(store: Store, log: Logger): Promise<Quarantine> {
    const quarantine = new Quarantine();
    for await (const [key] of store.entries(QUARANTINE)) {
      const id = parseId<EnvelopeId>(key.slice(QUARANTINE.from.length));
      if (id !== undefined) quarantine.#ids.add(id);
    }
    const changes: StoreChange[] = [];
    for await (const [key, value] of store.entries(MARKS)) {
      const id = parseId<EnvelopeId>(key.slice(MARKS.from.length));
      changes.push({ kind: "delete", key });
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

  /** How often this process died while it applied the entry. */
  deaths(id: EnvelopeId): number {
    return this.#deaths.get(id) ?? 0;
  }

  /** Refuses an entry from now on. Returns what has to be written. */
  add({ id, bytes }: Envelope): StoreChange[] {
    if (this.#ids.size >= MAX_KEPT || this.#ids.has(id)) return [];
    this.#ids.add(id);
    return [{ kind: "put", key: quarantineKey(id), value: bytes }];
  }
}
