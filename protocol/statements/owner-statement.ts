/**
 * OWNER: an operator admits an owner of backups.
 *
 * It wraps a claim that the owner signed with its key O, so that an applicant can sign it before
 * it knows the operator's chain. The claim is a link of the owner's own chain: the first one, or
 * where another key takes over from the one before, which signs it, too.
 */
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import {
  idBytes,
  idOf,
  sha256,
  type MeshId,
  type OwnerId,
  type PeerKey,
  type StatementId,
} from "../ids.ts";
import { sign, verify, type SigningKey } from "../keys/signature.ts";
import { statementHeadFields } from "./statement-head.ts";
import { bytesField, countField, idField, textField } from "../encoding/wire-field.ts";

const CLAIM_DOMAIN = "pleach/owner-claim/1";
const MAX_CLAIM_BYTES = 1024;

const ownerClaim = z.object({
  v: z.literal(1),
  mesh: idField<MeshId>(),
  /** The first signing key of this owner: its name for ever. */
  owner: idField<OwnerId>(),
  /** The signing key O from now on (Ed25519). */
  sign: idField<OwnerId>(),
  /** The box key B (X25519) that epoch keys are sealed to. */
  box: bytesField(32, 32),
  /** Which PeerId may speak the recovery protocol for this owner. */
  recovery: idField<PeerKey>(),
  name: textField(64, 1),
  org: textField(64),
  /** ISO 3166-1 alpha-2, or empty. */
  country: z.string().regex(/^(?:[A-Z]{2})?$/),
  /** Place in the owner's chain. A first claim is 1, and the meshId goes before it. */
  seq: countField(1, 1_000_000),
  prev: idField<StatementId | MeshId>(),
});
export type OwnerClaim = z.output<typeof ownerClaim>;

export const ownerBody = z.object({
  ...statementHeadFields,
  kind: z.literal("OWNER"),
  /** A signed {@link OwnerClaim}. */
  claim: bytesField(1, MAX_CLAIM_BYTES),
  /** By the key O that the claim names; a replacement also by the key before it, sorted by key. */
  claimSignatures: z
    .array(z.object({ key: idField<OwnerId>(), signature: bytesField(64, 64) }))
    .min(1)
    .max(2),
});
export type OwnerBody = z.output<typeof ownerBody>;

/** The owner's part of an OWNER statement. */
export function signOwnerClaim(
  keys: readonly SigningKey[],
  claim: Omit<OwnerClaim, "v">,
): Pick<OwnerBody, "claim" | "claimSignatures"> {
  const bytes = encodeCbor(z.encode(ownerClaim, { v: 1, ...claim }));
  return {
    claim: bytes,
    claimSignatures: keys
      .map((key) => ({
        key: idOf<OwnerId>(key.publicKey),
        signature: sign(key, CLAIM_DOMAIN, bytes),
      }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
  };
}

/** What was opened before: authority is computed again and again from the same statements. */
const opened = new WeakMap<object, OwnerClaim>();

/** The claim, or undefined when its form is wrong or not every signature on it is right. */
export function openOwnerClaim(
  body: Pick<OwnerBody, "claim" | "claimSignatures">,
): OwnerClaim | undefined {
  let claim = opened.get(body);
  if (claim !== undefined) return claim;
  try {
    claim = ownerClaim.safeParse(decodeCbor(body.claim, MAX_CLAIM_BYTES)).data;
  } catch {
    return undefined;
  }
  if (claim === undefined) return undefined;
  const { sign: newKey, seq } = claim;
  const keys = body.claimSignatures.map(({ key }) => key);
  const sound =
    keys.includes(newKey) &&
    keys.length === (seq === 1 ? 1 : 2) &&
    (keys[0] ?? "") < (keys[1] ?? "g") &&
    (seq === 1) === (newKey === claim.owner) &&
    body.claimSignatures.every(({ key, signature }) =>
      verify(idBytes(key), CLAIM_DOMAIN, body.claim, signature),
    );
  if (!sound) return undefined;
  opened.set(body, claim);
  return claim;
}

/** What the owner's next statement names as `prev`. */
export function ownerClaimId(claim: Uint8Array): StatementId {
  return idOf<StatementId>(sha256(claim));
}
