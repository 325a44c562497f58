/**
 * Finds out whether an author signed two histories of one log, and proves it.
 *
 * A proof needs the last entry that both histories have: the one before two entries at one place,
 * or the last snapshot in common. Where a header that came shows neither, replication brings earlier
 * ones until one does.
 */
import type { UncheckedHeader } from "../../../protocol/logs/envelope.ts";
import {
  proveFork,
  type ForkProofBody,
} from "../../../protocol/statements/fork-proof-statement.ts";
import type { Store } from "../../core/store.ts";
import type { HeldLog } from "../held-log.ts";
import { signedHeaderAt } from "../signed-header-at.ts";

export class ForkWatch {
  readonly #store: Store;
  readonly #flush: () => Promise<void>;

  /** @param flush - Writes what is staged: headers are read from the store. */
  constructor(store: Store, flush: () => Promise<void>) {
    this.#store = store;
    this.#flush = flush;
  }

  /**
   * What proves that a header contradicts those held of its log.
   *
   * @param signed - The header with its signature, which was checked.
   */
  async proof(
    held: HeldLog,
    their: Pick<UncheckedHeader, "id" | "header">,
    signed: Uint8Array,
  ): Promise<ForkProofBody | undefined> {
    const { unfit } = held;
    if (unfit !== undefined && unfit.seq === their.header.seq && unfit.id !== their.id) {
      const body = proveFork(unfit.signed, signed);
      if (body !== undefined) return body;
    }
    for (const { seq, common } of rivals(held, their)) {
      const one = await this.#signedHeader(held, seq);
      const base = common === undefined ? undefined : await this.#signedHeader(held, common);
      const body = one === undefined ? undefined : proveFork(one, signed, base);
      if (body !== undefined) return body;
    }
    return undefined;
  }

  async #signedHeader(held: HeldLog, seq: number): Promise<Uint8Array | undefined> {
    await this.#flush();
    return signedHeaderAt(this.#store, held.log, seq);
  }
}

/** Whether a header stands at a place that is taken, or behind a snapshot that another one follows. */
export function contradicts(held: HeldLog, their: Pick<UncheckedHeader, "id" | "header">): boolean {
  return rivals(held, their).length > 0;
}

interface Rival {
  /** The place of the header held here. */
  readonly seq: number;
  /** The place of the snapshot before both. */
  readonly common?: number;
}

/** Headers held that may prove a fork together with this one. */
function rivals(held: HeldLog, { id, header }: Pick<UncheckedHeader, "id" | "header">): Rival[] {
  if (header.kind !== "SNAP" && header.seq > held.knownSeq) return [];
  const known = held.knownSnapshots();
  const here = held.idAt(header.seq) ?? known.find(({ seq }) => seq === header.seq)?.id;
  if (here === id) return [];
  const common = known.findLast(({ seq }) => seq < header.seq);
  const found: Rival[] = [];
  if (here !== undefined) {
    found.push({ seq: header.seq });
    if (common !== undefined) found.push({ seq: header.seq, common: common.seq });
  }
  const before = known.find((each) => header.kind === "SNAP" && each.id === header.prevSnap);
  const after = known.find(({ seq }) => before !== undefined && seq > before.seq);
  if (before !== undefined && after !== undefined && after.id !== id) {
    found.push({ seq: after.seq, common: before.seq });
  }
  return found;
}
