/**
 * For how long sites have been away, in running time of this site; core/backup/absence.ts says what
 * that means.
 *
 * Time in which nobody at all is linked does not count: then the fault is more likely here.
 */
import { z } from "zod";
import { awayAfter, isSilent } from "../../core/backup/absence.ts";
import type { Store } from "../../core/store.ts";
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import type { SiteId } from "../../../protocol/ids.ts";

const KEY = "backup/audit/silence";
const MAX_STORED_BYTES = 1024 * 1024;
const stored = z.array(z.tuple([z.string(), z.int().min(0)]));

export class Silence {
  readonly #store: Store;
  #awayMs: Map<SiteId, number>;
  /** Who is linked since time was counted last. */
  #linked: ReadonlySet<SiteId> = new Set();

  private constructor(store: Store, awayMs: Map<SiteId, number>) {
    this.#store = store;
    this.#awayMs = awayMs;
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

  /**
   * Time has passed. To be called whenever a link came or went, and from time to time.
   *
   * @param members - Others are forgotten.
   * @param links - Who is linked from now on.
   */
  elapse(
    elapsedMs: number,
    members: Iterable<SiteId>,
    links: readonly SiteId[],
    patienceMs: number,
  ): void {
    const linked = this.#linked;
    this.#linked = new Set(links);
    const passedMs = linked.size === 0 ? 0 : elapsedMs;
    const before = this.#awayMs;
    this.#awayMs = new Map(
      [...members]
        .map((site) => {
          const awayMs = before.get(site) ?? 0;
          return [site, awayAfter(awayMs, passedMs, linked.has(site), patienceMs)] as const;
        })
        .filter(([, awayMs]) => awayMs > 0),
    );
  }

  /** Sites that are silent. */
  sites(patienceMs: number): ReadonlySet<SiteId> {
    const silent = [...this.#awayMs].filter(([, awayMs]) => isSilent(awayMs, patienceMs));
    return new Set(silent.map(([site]) => site));
  }

  async save(): Promise<void> {
    const list = [...this.#awayMs].map(([site, awayMs]) => [site, Math.floor(awayMs)]);
    await this.#store.write([{ kind: "put", key: KEY, value: encodeCbor(list) }], "cached");
  }
}
