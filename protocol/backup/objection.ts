/**
 * A signed word against a shorter retention lock.
 *
 * An objection names one DELEGATE. It stands in the `hold` log of whichever site its signer used, so
 * every holder sees it; whether the key may object is for the reader to decide (daemon/core/backup/objectors.ts).
 */
import { z } from "zod";
import { encodeCbor } from "../encoding/cbor.ts";
import { idBytes, idOf, type MeshId, type OwnerId, type StatementId } from "../ids.ts";
import { hexId } from "../logs/record.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";

const DOMAIN = "pleach/objection/1";

/** What is objected to: the DELEGATE of that owner with the shorter lock. */
export interface Objection {
  readonly mesh: MeshId;
  readonly owner: OwnerId;
  readonly statement: StatementId;
}

const signature = z.string().regex(/^[0-9a-f]{128}$/, "is not a signature");

/** Class `hold`, key `objection/STATEMENT/KEY`; the key in it is that of the signer. */
export const objectionRecord = z.object({ owner: hexId<OwnerId>(), signature });

export function objectionKey(statement: StatementId, key: string): string {
  return `objection/${statement}/${key}`;
}

/** @returns the key of the signer and the signature, both in hexadecimal. */
export function signObjection(
  key: SigningKey,
  objection: Objection,
): { readonly key: string; readonly signature: string } {
  const signed = sign(key, DOMAIN, bytesOf(objection));
  return { key: idOf(key.publicKey), signature: Buffer.from(signed).toString("hex") };
}

/** @param key - 32 bytes, hexadecimal. */
export function isSignedObjection(objection: Objection, key: string, signed: string): boolean {
  const bytes = Buffer.from(signed, "hex");
  return verify(idBytes(key as OwnerId), DOMAIN, bytesOf(objection), bytes);
}

function bytesOf({ mesh, owner, statement }: Objection): Uint8Array {
  return encodeCbor({
    v: 1,
    mesh: idBytes(mesh),
    owner: idBytes(owner),
    statement: idBytes(statement),
  });
}
