/**
 * The invitation code: what an operator gives to somebody who wants to join.
 *
 * It says where the mesh is and carries a secret that works once. The code admits nobody: a
 * person compares six words and approves. Whoever issued it keeps only {@link proofKeyOf}, so a
 * stolen database opens no door that is not open already.
 *
 * Form: `pleach1` and RFC 4648 base32 in lower case of CBOR and four bytes of its SHA-256. One
 * word to select, no letters that only case tells apart, and the compact mode of QR codes.
 */
import { createHmac } from "node:crypto";
import { z } from "zod";
import { decodeCbor, encodeCbor } from "../encoding/cbor.ts";
import { PleachError } from "../error.ts";
import { idBytes, parseId, sha256, type MeshId, type PeerKey, type SiteId } from "../ids.ts";

const PREFIX = "pleach1";
const CHECK_BYTES = 4;
export const INVITATION_SECRET_BYTES = 16;

/** More make the code too long for a QR code that a telephone reads off a screen. */
export const MAX_INVITATION_ADDRESSES = 4;
const MAX_ADDRESS_CHARACTERS = 120;
const MAX_CODE_BYTES = 1024;

export class InvitationError extends PleachError<
  "E-CODE-FORM" | "E-CODE-CHECK" | "E-CODE-VERSION"
> {}

export interface Invitation {
  readonly meshId: MeshId;
  /** The site that issued it, and the only one that takes it. */
  readonly issuer: SiteId;
  /** Where the issuer can be reached: multiaddrs without `/p2p/…`, at least one. */
  readonly addresses: readonly string[];
  /** 16 random bytes. */
  readonly secret: Uint8Array;
  /** Wall time. The issuer decides by its own clock; here it only gives a better message. */
  readonly expiresAtMs: number;
}

const BODY = z.strictObject({
  v: z.literal(1),
  mesh: z.instanceof(Uint8Array),
  site: z.instanceof(Uint8Array),
  at: z.array(z.string().min(1).max(MAX_ADDRESS_CHARACTERS)).min(1).max(MAX_INVITATION_ADDRESSES),
  key: z.instanceof(Uint8Array),
  exp: z.int().nonnegative(),
});

/** @throws RangeError when a field is out of its range, which is a bug in the caller. */
export function printInvitation(invitation: Invitation): string {
  const body = encodeCbor({
    v: 1,
    mesh: idBytes(invitation.meshId),
    site: idBytes(invitation.issuer),
    at: invitation.addresses,
    key: invitation.secret,
    exp: Math.floor(invitation.expiresAtMs / 1000),
  });
  const { at, key } = BODY.parse(decodeCbor(body, MAX_CODE_BYTES));
  if (key.length !== INVITATION_SECRET_BYTES) throw new RangeError(`secret of ${key.length} B`);
  if (at.some((address) => !address.startsWith("/"))) throw new RangeError("not a multiaddr");
  return PREFIX + toBase32(Buffer.concat([body, check(body)]));
}

/**
 * @throws InvitationError when the code is none, was cut or mistyped, or is of a later version.
 */
export function parseInvitation(code: string): Invitation {
  const text = code
    .slice(0, 4 * MAX_CODE_BYTES)
    .replaceAll(/\s/g, "")
    .toLowerCase();
  const version = /^pleach([0-9])/.exec(text)?.[1];
  if (version !== undefined && version !== "1") {
    throw new InvitationError("E-CODE-VERSION", "This code was made by a newer Pleach.", {
      hint: "Bring this machine to the version of the site that invited you.",
    });
  }
  const bytes = text.startsWith(PREFIX) ? fromBase32(text.slice(PREFIX.length)) : undefined;
  if (bytes === undefined || bytes.length <= CHECK_BYTES || bytes.length > MAX_CODE_BYTES) {
    throw new InvitationError("E-CODE-FORM", "This is not an invitation code.", {
      hint: `A code is one word that begins with "${PREFIX}"; "pleach invite" prints it.`,
    });
  }
  const body = bytes.subarray(0, -CHECK_BYTES);
  if (Buffer.compare(check(body), bytes.subarray(-CHECK_BYTES)) !== 0) {
    throw new InvitationError("E-CODE-CHECK", "The code is cut off or mistyped: its check fails.", {
      hint: "Copy the whole code again.",
    });
  }
  return parseBody(body);
}

function parseBody(body: Uint8Array): Invitation {
  const read = BODY.safeParse(decodeCbor(body, MAX_CODE_BYTES));
  const meshId = parseId<MeshId>(read.data?.mesh);
  const issuer = parseId<SiteId>(read.data?.site);
  if (!read.success || meshId === undefined || issuer === undefined) {
    throw new InvitationError("E-CODE-FORM", "The code holds something else than an invitation.", {
      hint: 'Ask for a new code, made by "pleach invite".',
    });
  }
  const { at: addresses, key: secret, exp } = read.data;
  if (secret.length !== INVITATION_SECRET_BYTES || !addresses.every((a) => a.startsWith("/"))) {
    throw new InvitationError("E-CODE-FORM", "The code holds something else than an invitation.", {
      hint: 'Ask for a new code, made by "pleach invite".',
    });
  }
  return { meshId, issuer, addresses, secret, expiresAtMs: exp * 1000 };
}

/** What the issuer keeps of a secret (32 bytes): the key that proofs are checked with. */
export function proofKeyOf(secret: Uint8Array): Uint8Array {
  return sha256("pleach/invitation/1\0", secret);
}

/**
 * The proof (32 bytes) that an applicant knows the secret, good for one channel only.
 *
 * Both keys are those that the Noise handshake proved, so a proof that somebody relays to the
 * issuer from another key is wrong; the nonce is the issuer's and new for each channel.
 */
export function joinProof(
  proofKey: Uint8Array,
  meshId: MeshId,
  applicant: PeerKey,
  issuer: SiteId,
  nonce: Uint8Array,
): Uint8Array {
  const mac = createHmac("sha256", proofKey).update("pleach/join-proof/1\0");
  for (const part of [idBytes(meshId), idBytes(applicant), idBytes(issuer), nonce])
    mac.update(part);
  return Uint8Array.from(mac.digest());
}

function check(body: Uint8Array): Uint8Array {
  return sha256("pleach/code/1\0", body).subarray(0, CHECK_BYTES);
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** RFC 4648 section 6, lower case, no padding. */
function toBase32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31] ?? "";
  }
  return bits > 0 ? text + (ALPHABET[(held << (5 - bits)) & 31] ?? "") : text;
}

/** Undefined for a foreign letter, an impossible length or bits that are not zero at the end. */
function fromBase32(text: string): Uint8Array | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) return undefined;
    held = ((held << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return bits < 5 && (held & ((1 << bits) - 1)) === 0 ? Uint8Array.from(bytes) : undefined;
}
