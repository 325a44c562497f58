/**
 * Where the logs of suspended sites are shown to end.
 *
 * A suspension changes nothing that was accepted: each log stays shown up to what was here when the
 * suspension came, or up to what it names, whichever is more. What was here is not the same on all
 * nodes, so it is remembered on disk; what comes later is stored and passed on all the same. The heads
 * that a revocation names are decided with all this in view: they end it.
 */
import { decodeCbor, encodeCbor } from "../../../protocol/encoding/cbor.ts";
import { parseId, type LogId, type SiteId } from "../../../protocol/ids.ts";
import type { Authority } from "../../core/authority/authority.ts";
import type { Store, StoreChange } from "../../core/store.ts";
import type { HeldLog } from "../held-log.ts";
import { FROZEN, frozenKey } from "../keys.ts";
import type { Shelf } from "../shelf.ts";

export class Freezes {
  /** Up to where logs were shown when the newest suspension of their author came. */
  readonly #held = new Map<LogId, number>();

  static async open(store: Store): Promise<Freezes> {
    const freezes = new Freezes();
    for await (const [key, bytes] of store.entries(FROZEN)) {
      const log = parseId<LogId>(key.slice(FROZEN.from.length), 16);
      let seq;
      try {
        seq = decodeCbor(bytes, 16);
      } catch {
        continue;
      }
      if (log !== undefined && typeof seq === "number") freezes.#held.set(log, seq);
    }
    return freezes;
  }

  /** Remembers what is shown of sites that are suspended now, or once more, and forgets the others. */
  change(shelf: Shelf, before: Authority, now: Authority): StoreChange[] {
    const changes: StoreChange[] = [];
    const known = new Set(before.suspensions.map(({ id }) => id));
    const fresh = new Set<string>(
      now.suspensions.flatMap(({ id, key }) => (known.has(id) ? [] : key)),
    );
    for (const { log, author, seq } of shelf.all()) {
      if (!now.isSuspended(author)) {
        if (this.#held.delete(log)) changes.push({ kind: "delete", key: frozenKey(log) });
      } else if (fresh.has(author)) {
        const shown = Math.min(seq, this.endOf({ log, author }, before) ?? seq);
        if (shown <= (this.#held.get(log) ?? 0)) continue;
        this.#held.set(log, shown);
        changes.push({ kind: "put", key: frozenKey(log), value: encodeCbor(shown) });
      }
    }
    return changes;
  }

  /** The last entry of a log that is shown; undefined while no suspension holds up its author. */
  endOf({ log, author }: { log: LogId; author: SiteId }, authority: Authority): number | undefined {
    if (!authority.isSuspended(author)) return undefined;
    if (authority.endedSites.get(author)?.ended.kind === "revoked") return undefined;
    const named = authority.suspensions
      .filter(({ key }) => key === author)
      .map(({ logs }) => logs.find((each) => each.log === log)?.seq ?? 0);
    // Of several the lowest: another suspension must not show what the first one holds up.
    return Math.max(this.#held.get(log) ?? 0, Math.min(...named));
  }

  /** Of a log that is dropped: what comes of it again was not accepted before. */
  forget(log: LogId): StoreChange {
    this.#held.delete(log);
    return { kind: "delete", key: frozenKey(log) };
  }

  /** Sets where logs are shown to end. @returns Those that are shown to end elsewhere now. */
  apply(logs: Iterable<HeldLog>, authority: Authority): readonly HeldLog[] {
    const changed: HeldLog[] = [];
    for (const held of logs) {
      const end = this.endOf(held, authority);
      if (end === held.frozenSeq) continue;
      held.frozenSeq = end;
      changed.push(held);
    }
    return changed;
  }
}
