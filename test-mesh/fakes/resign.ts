/**
 * Signs entries and statements that no honest program of this version signs: with fields and
 * kinds of later versions, or with whatever a hostile author likes.
 *
 * They start from sound ones, so that only the named difference is the reason for what happens.
 */
import { decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { sha256 } from "../../protocol/ids.ts";
import { sign, type SigningKey } from "../../protocol/keys/signature.ts";
import { encodeStatement, type SignedStatement } from "../../protocol/statements/statement.ts";

type CborMap = Readonly<Record<string, CborValue>>;

const MOST_BYTES = 1024 * 1024;

/**
 * The bytes of an entry with other header fields, or another payload, signed by its author anew.
 *
 * Size and hash of the payload follow it, unless `fields` says otherwise.
 */
export function resignEnvelope(
  key: SigningKey,
  bytes: Uint8Array,
  fields: CborMap,
  payload: Uint8Array = readEnvelope(bytes).payload,
): Uint8Array {
  const before = decodeCbor(readEnvelope(bytes).headerBytes, MOST_BYTES) as CborMap;
  const matching = { payloadBytes: payload.length, payloadHash: sha256(payload) };
  const header = encodeCbor({ ...before, ...matching, ...fields });
  return encodeCbor({ v: 1, header, signature: sign(key, "pleach/envelope/1", header), payload });
}

/** The bytes of a statement with other fields, signed by one key anew. */
export function resignStatement(
  key: SigningKey,
  statement: SignedStatement,
  fields: CborMap & { readonly kind?: string },
): Uint8Array {
  const body = { ...(decodeCbor(statement.bytes, MOST_BYTES) as CborMap), ...fields };
  const bytes = encodeCbor(body);
  const kind = fields.kind ?? statement.body.kind;
  const domain = `pleach/statement-${kind.toLowerCase()}/1` as const;
  const signature = sign(key, domain, bytes);
  return encodeStatement({ bytes, signatures: [{ key: key.publicKey, signature }] });
}
