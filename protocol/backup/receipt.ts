/**
 * A receipt: a holder's signed word that it stores a shard, or a list, durably.
 *
 * The content says all and nothing that changes, so a holder that lost a receipt signs the same
 * bytes again. It counts only as long as the holder's store has the same identifier.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import {
  idBytes,
  idOf,
  type ListId,
  type MeshId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
  type StoreId,
} from "../ids.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { countField, idField } from "../encoding/wire-field.ts";

const DOMAIN = "pleach/receipt/1";
const MAX_RECEIPT_BYTES = 512;

export interface Receipt {
  readonly mesh: MeshId;
  readonly holder: SiteId;
  /** Which store of the holder: a new one has another identifier. */
  readonly store: StoreId;
  readonly owner: OwnerId;
  readonly set: SetId;
  readonly kind: "shard" | "list";
  readonly id: ShardId | ListId;
  readonly sizeBytes: number;
  /** How long it is kept after the last list that names it, in days of the holder's running time. */
  readonly lockDays: number;
}

export interface SignedReceipt {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

export class ReceiptError extends PleachError<"E-RECEIPT-FORM" | "E-RECEIPT-SIGNATURE"> {}

const shape = z.strictObject({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  holder: idField<SiteId>(),
  store: idField<StoreId>(16),
  owner: idField<OwnerId>(),
  set: idField<SetId>(16),
  kind: z.enum(["shard", "list"]),
  id: idField<ShardId | ListId>(),
  sizeBytes: countField(1),
  lockDays: countField(0),
});

/** Signs with the holder's site key. */
export function signReceipt(key: SigningKey, receipt: Omit<Receipt, "holder">): SignedReceipt {
  const holder = idOf<SiteId>(key.publicKey);
  const bytes = encodeCbor(z.encode(shape, { v: 1, ...receipt, holder }));
  return { bytes, signature: sign(key, DOMAIN, bytes) };
}

/**
 * Reads a receipt that the holder named in it has signed.
 *
 * @throws ReceiptError when the bytes are no receipt, or the signature is wrong.
 */
export function openReceipt(signed: SignedReceipt): Receipt {
  const receipt = parseReceipt(signed.bytes);
  if (!verify(idBytes(receipt.holder), DOMAIN, signed.bytes, signed.signature)) {
    throw new ReceiptError("E-RECEIPT-SIGNATURE", "The signature of a receipt is wrong.");
  }
  return receipt;
}

/**
 * What a receipt says, for one whose signature was verified when it came.
 *
 * @throws ReceiptError when the bytes are no receipt.
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  try {
    const { v: _version, ...fields } = z.decode(
      shape,
      decodeCbor(bytes, MAX_RECEIPT_BYTES) as z.input<typeof shape>,
    );
    return fields;
  } catch (cause) {
    throw new ReceiptError("E-RECEIPT-FORM", "A receipt has a wrong form.", { cause });
  }
}
