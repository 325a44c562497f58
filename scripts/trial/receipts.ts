/**
 * Checks the word of the holders before anything is wiped: each receipt is read, its signature
 * verified with the holder's key, and compared with what it should speak of.
 */
import type { z } from "zod";
import type { copiesShape } from "../../daemon/control/shapes-backup.ts";
import { openReceipt } from "../../protocol/backup/receipt.ts";

export interface ReceiptFacts {
  readonly meshId: string;
  readonly setId: string;
  readonly ownSite: string;
  /** All members of the mesh. */
  readonly sites: ReadonlySet<string>;
}

export interface ReceiptVerdict {
  /** Shards and lists. */
  readonly pieces: number;
  readonly bytes: number;
  /** The fewest distinct remote sites that signed for any one piece. */
  readonly minReceipts: number;
}

/** @throws Error that names the first receipt that is not what it claims to be. */
export function verifyReceipts(
  copies: z.infer<typeof copiesShape>,
  facts: ReceiptFacts,
): ReceiptVerdict {
  const pieces = copies.perShard ?? [];
  let minReceipts = pieces.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  let bytes = 0;
  for (const piece of pieces) {
    bytes += piece.size;
    const holders = new Set<string>();
    for (const signed of piece.receipts) {
      const receipt = openReceipt({
        bytes: Buffer.from(signed.bytes, "base64"),
        signature: Buffer.from(signed.signature, "base64"),
      });
      const sound =
        receipt.mesh === facts.meshId &&
        receipt.set === facts.setId &&
        receipt.id === piece.shard &&
        receipt.sizeBytes === piece.size &&
        receipt.kind === piece.kind &&
        receipt.holder !== facts.ownSite &&
        facts.sites.has(receipt.holder);
      if (!sound) throw new Error(`a receipt for ${piece.shard} speaks of something else`);
      holders.add(receipt.holder);
    }
    minReceipts = Math.min(minReceipts, holders.size);
  }
  return { pieces: pieces.length, bytes, minReceipts };
}
