/**
 * For how long sites have not been linked, in running time of this site.
 *
 * Time in which nobody at all is linked does not count: then the fault is more likely here.
 */
import { z } from "zod";
import type { Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import type { SiteId } from "../../../protocol/ids.ts";

const KEY = "backup/audit/silence";
const MAX_STORED_BYTES = 1024 * 1024;
const stored = z.array(z.tuple([z.string(), z.int().min(0)]));

export class Silence {
  readonly #store: Store;
  #silentMs: Map<SiteId, number>;

  private constructor(store: Store, silentMs: Map<SiteId, number>) {
    this.#store = store;
    this.#silentMs = silentMs;
  }

  static async open(store: Store): Promise<Silence> {
    const bytes = await store.get(KEY);
    try {
      const list = bytes === undefined ? [] : stored.parse(decodeCbor(bytes, MAX_STORED_BYTES));
      return new Silence(store, new Map(list as [SiteId, number][]));
    } catch {
      return new Silence(store, new Map());
    }
  }

  /** Time has passed. @param members - Others are forgotten. */
  elapse(elapsedMs: number, members: Iterable<SiteId>, linked: readonly SiteId[]): void {
    const passedMs = linked.length === 0 ? 0 : elapsedMs;
    const before = this.#silentMs;
    this.#silentMs = new Map(
      [...members]
        .filter((site) => !linked.includes(site))
        .map((site) => [site, (before.get(site) ?? 0) + passedMs]),
    );
  }

  /** A link came up. */
  heard(site: SiteId): void {
    this.#silentMs.delete(site);
  }

  /** Sites that have been silent for at least so long. */
  silentFor(leastMs: number): ReadonlySet<SiteId> {
    return new Set(
      [...this.#silentMs].filter(([, silentMs]) => silentMs >= leastMs).map(([site]) => site),
    );
  }

  async save(): Promise<void> {
    const list = [...this.#silentMs].map(([site, silentMs]) => [site, Math.floor(silentMs)]);
    await this.#store.write([{ kind: "put", key: KEY, value: encodeCbor(list) }], "cached");
  }
}
