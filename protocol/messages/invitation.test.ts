import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, toHex, type MeshId, type PeerKey, type SiteId } from "../ids.ts";
import {
  InvitationError,
  joinProof,
  parseInvitation,
  printInvitation,
  proofKeyOf,
  type Invitation,
} from "./invitation.ts";

const INVITATION: Invitation = {
  meshId: idOf<MeshId>(new Uint8Array(32).fill(1)),
  issuer: idOf<SiteId>(new Uint8Array(32).fill(2)),
  addresses: ["/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/4001"],
  secret: new Uint8Array(16).fill(3),
  expiresAtMs: 1_900_000_000_000,
};
const CODE = printInvitation(INVITATION);

function refusal(code: string): string {
  try {
    parseInvitation(code);
  } catch (error) {
    if (error instanceof InvitationError) return error.code;
    throw error;
  }
  return "none";
}

test("reads back what it printed, in capitals and broken over lines too", () => {
  assert.deepEqual(parseInvitation(CODE), INVITATION);
  assert.deepEqual(
    parseInvitation(`  ${CODE.toUpperCase().replace(/(.{60})/g, "$1\n ")}`),
    INVITATION,
  );
});

test("is one word of small letters and digits, short enough for a QR code", () => {
  assert.match(CODE, /^pleach1[a-z2-7]+$/);
  assert.ok(CODE.length < 400, `${CODE.length} characters`);
});

test("any invitation survives the way through text", () => {
  const bytes = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
  fc.assert(
    fc.property(bytes(32), bytes(32), bytes(16), fc.nat(), (mesh, site, secret, seconds) => {
      const invitation = {
        meshId: idOf<MeshId>(mesh),
        issuer: idOf<SiteId>(site),
        addresses: ["/dns4/brest.example/tcp/4001"],
        secret: Uint8Array.from(secret),
        expiresAtMs: seconds * 1000,
      };
      assert.deepEqual(parseInvitation(printInvitation(invitation)), invitation);
    }),
  );
});

test("finds each single mistyped letter and each cut", () => {
  for (let at = 7; at < CODE.length; at++) {
    const letter = CODE[at] === "a" ? "b" : "a";
    const found = refusal(CODE.slice(0, at) + letter + CODE.slice(at + 1));
    assert.ok(found === "E-CODE-CHECK" || found === "E-CODE-FORM", found);
    const cut = refusal(CODE.slice(0, at));
    assert.ok(cut === "E-CODE-CHECK" || cut === "E-CODE-FORM", cut);
  }
});

test("tells what is no code from a code of a later version", () => {
  assert.equal(refusal("hello"), "E-CODE-FORM");
  assert.equal(refusal(""), "E-CODE-FORM");
  assert.equal(refusal(CODE.replace("pleach1", "pleach2")), "E-CODE-VERSION");
});

test("a proof is good for one secret, one pair of keys and one nonce", () => {
  const applicant = idOf<PeerKey>(new Uint8Array(32).fill(4));
  const other = idOf<PeerKey>(new Uint8Array(32).fill(5));
  const key = proofKeyOf(INVITATION.secret);
  const nonce = new Uint8Array(32);
  const { meshId, issuer } = INVITATION;
  const proofs = [
    joinProof(key, meshId, applicant, issuer, nonce),
    joinProof(proofKeyOf(new Uint8Array(16)), meshId, applicant, issuer, nonce),
    joinProof(key, meshId, other, issuer, nonce),
    joinProof(key, meshId, applicant, issuer, new Uint8Array(32).fill(1)),
    joinProof(key, idOf<MeshId>(new Uint8Array(32)), applicant, issuer, nonce),
  ].map(toHex);
  assert.equal(new Set(proofs).size, proofs.length);
});
