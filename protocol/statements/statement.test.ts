import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Founding, testKey } from "../../test-mesh/fakes/founding.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import {
  readEnvelope,
  signEnvelope,
  type Envelope,
  type EnvelopeHeader,
} from "../logs/envelope.ts";
import { openForkProof, proveFork } from "./fork-proof-statement.ts";
import { DEFAULT_LIMITS } from "./genesis.ts";
import {
  fromHex,
  idOf,
  sha256,
  type EnvelopeId,
  type LogId,
  type MeshId,
  type OperatorId,
  type OwnerId,
  type PeerKey,
  type SiteId,
  type StatementId,
} from "../ids.ts";
import { openOwnerClaim, signOwnerClaim } from "./owner-statement.ts";
import { sign, type SigningKey } from "../keys/signature.ts";
import { encodeSignedHeader, readSignedHeader } from "../logs/signed-header.ts";
import { signSiteRequest } from "./site-statement.ts";
import { decodeStatement, encodeStatement, signStatement, StatementError } from "./statement.ts";

/** Points of small order: whoever holds such a "key" can sign anything (RFC 8032 section 5.1). */
const SMALL_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  // Not of small order, but no canonical encoding: y = 2^255 - 18.
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

const quimper = testKey("quimper");

function genesisOf(operators: readonly Uint8Array[], founders: readonly SigningKey[]) {
  return signStatement(
    {
      v: 1,
      kind: "GENESIS",
      name: "test",
      salt: new Uint8Array(16),
      operators: operators.map((key) => ({ key: idOf<OperatorId>(key), name: "somebody" })),
      founders: founders.map(({ publicKey }) => idOf<OperatorId>(publicKey)),
      threshold: 1,
      recovery: { keys: [], threshold: 0 },
      limits: DEFAULT_LIMITS,
      rules: 1,
    },
    founders,
  );
}

function request(mesh: Founding["meshId"], key = quimper) {
  return signSiteRequest(key, {
    mesh,
    key: idOf<SiteId>(key.publicKey),
    name: "quimper",
    org: "",
    place: "",
    domains: { building: "", power: "", uplink: "", country: "" },
  });
}

/** Encodes a body as it is, signs it, and reads it again. */
function signRaw(body: Record<string, CborValue>, kind: string, key: SigningKey) {
  const bytes = encodeCbor(body);
  const signature = sign(key, `pleach/statement-${kind}/1`, bytes);
  return decodeStatement(
    encodeStatement({ bytes, signatures: [{ key: key.publicKey, signature }] }),
  );
}

/** Two first updates behind one snapshot, and two snapshots behind those. */
function forkedEntries(mesh: MeshId) {
  const chain = { mesh, salt: new Uint8Array(16), prev: null, prevSnap: null };
  const sign = (fields: Partial<EnvelopeHeader>, payload: string) =>
    signEnvelope(
      quimper,
      {
        ...chain,
        ...{ class: "site", author: idOf<SiteId>(quimper.publicKey), part: 0, seq: 1 },
        ...{ kind: "SNAP", authority: mesh, lamport: 1, wallMs: 0 },
        ...{ started: fields.kind === "UPD" ? 0 : 1, retires: [], floor: 0, past: 0 },
        ...{ clockBefore: 0, clockAfter: 0 },
        ...fields,
      },
      Buffer.from(payload),
    );
  const first = sign({}, "start");
  const [one, other] = ["a", "b"].map((payload) =>
    sign({ kind: "UPD", seq: 2, prev: first.id }, payload),
  );
  assert.ok(one && other);
  const after = { prevSnap: first.id };
  const snapOne = sign({ ...after, seq: 3, prev: one.id }, "c");
  const snapOther = sign({ ...after, seq: 3, prev: other.id }, "d");
  const header = ({ bytes }: Envelope): Uint8Array => {
    const { headerBytes, signature } = readEnvelope(bytes);
    return encodeSignedHeader(headerBytes, signature);
  };
  return {
    ...{ first: header(first), one: header(one), other: header(other) },
    ...{ snapOne: header(snapOne), snapOther: header(snapOther) },
  };
}

test("what was signed is read again, byte by byte", () => {
  const founding = new Founding();
  const site = founding.enrol("quimper");
  founding.grant(site, "zone", "bzh.example");
  founding.own("coop");
  founding.delegate("coop", site);
  const grant = founding.grant(site, "zone", null);
  founding.ungrant([grant]);
  founding.replaceOwner("coop", testKey("owner coop 2"));
  const epoch = founding.epoch({ operators: [founding.operator, testKey("second")] });
  founding.vote(epoch, founding.operator);
  founding.ack(epoch, testKey("quimper"));
  founding.unsuspend([founding.suspend(site)]);
  founding.leave(testKey("quimper"));
  const fork = forkedEntries(founding.meshId);
  founding.forkProof(fork.one, fork.other);
  founding.forkProof(fork.snapOne, fork.snapOther, fork.first);
  const kinds = new Set(founding.statements.map(({ body }) => body.kind));
  assert.equal(kinds.size, 13, "one of each");
  for (const statement of founding.statements) {
    assert.deepEqual(decodeStatement(encodeStatement(statement)), statement);
  }
});

test("headers that can stand in one log prove nothing", () => {
  const founding = new Founding();
  const { first, one, other, snapOne, snapOther } = forkedEntries(founding.meshId);
  for (const [a, b, common] of [
    [first, one, undefined],
    [one, one, undefined],
    [one, snapOther, undefined],
    [one, snapOther, other],
    [one, snapOther, first],
    [snapOne, snapOther, undefined],
    [snapOne, snapOther, one],
  ] as const) {
    assert.throws(() => founding.forkProof(a, b, common), RangeError);
  }
  const [right, wrong] = [one, other].map(readSignedHeader);
  assert.ok(right && wrong);
  const forged = encodeSignedHeader(wrong.headerBytes, right.signature);
  assert.throws(() => founding.forkProof(one, forged), { code: "E-ENVELOPE-SIGNATURE" });
  assert.equal(founding.statements.length, 1);
});

test("a fork ends what counts at the last common entry", () => {
  const { first, one, other, snapOne, snapOther } = forkedEntries(new Founding().meshId);
  const start = readSignedHeader(first).id;
  for (const body of [
    proveFork(one, other),
    proveFork(other, one, first),
    proveFork(snapOne, snapOther, first),
  ]) {
    assert.ok(body);
    assert.deepEqual(openForkProof(body)?.last, { seq: 1, head: start });
  }
  // One proof has one form: what parts at one place needs no snapshot before it.
  const proof = proveFork(one, other);
  assert.ok(proof);
  assert.equal(openForkProof({ ...proof, common: first }), undefined);
});

test("a claim carries exactly the keys that it needs", () => {
  const founding = new Founding();
  const [old, fresh, third] = ["old", "fresh", "third"].map(testKey);
  assert.ok(old && fresh && third);
  const place = { seq: 5, prev: idOf<StatementId>(sha256("before")) };
  const claim = (keys: readonly SigningKey[], sign: SigningKey, seq: number) =>
    openOwnerClaim(
      signOwnerClaim(keys, {
        mesh: founding.meshId,
        owner: idOf<OwnerId>(old.publicKey),
        sign: idOf<OwnerId>(sign.publicKey),
        box: new Uint8Array(32),
        recovery: idOf<PeerKey>(third.publicKey),
        name: "coop",
        org: "",
        country: "",
        ...place,
        seq,
      }),
    );
  assert.ok(claim([old], old, 1));
  assert.ok(claim([old, fresh], fresh, 5));
  assert.equal(claim([fresh], fresh, 5), undefined, "the old key did not agree");
  assert.equal(claim([old], fresh, 5), undefined, "the new key did not agree");
  assert.equal(claim([fresh], fresh, 1), undefined, "a first claim names its own key");
  assert.equal(claim([old, third], old, 1), undefined, "nobody else has a say");
  assert.equal(claim([old, third], old, 5), undefined, "the first key never comes back");
});

test("any flipped bit of a statement is refused", () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const encoded = founding.statements.map(encodeStatement);
  fc.assert(
    fc.property(fc.constantFrom(...encoded), fc.nat(), (bytes, at) => {
      const flipped = Uint8Array.from(bytes);
      const place = (at >> 3) % flipped.length;
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (at & 7));
      assert.throws(() => decodeStatement(flipped), StatementError);
    }),
    { numRuns: 500 },
  );
});

test("arbitrary bytes are refused with a StatementError, nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
      assert.throws(() => decodeStatement(bytes), StatementError);
    }),
    { numRuns: 300 },
  );
});

test("keys of small order and non-canonical keys are refused at enrolment", () => {
  const { operator } = new Founding();
  for (const weak of SMALL_ORDER.map(fromHex)) {
    assert.throws(() => genesisOf([operator.publicKey, weak], [operator]), {
      code: "E-STATEMENT-KEY",
    });
  }
});

test("a malleated signature is refused", () => {
  // S + L verifies with libraries that do not check the range of S (RFC 8032 section 5.1.7).
  const [genesis] = new Founding().statements;
  const [first] = genesis?.signatures ?? [];
  assert.ok(genesis && first);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(first.signature.slice(32)).reverse().toString("hex")}`) + order;
  const high = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
  const signature = Uint8Array.from([...first.signature.slice(0, 32), ...high]);
  const bytes = encodeStatement({
    bytes: genesis.bytes,
    signatures: [{ key: first.key, signature }],
  });
  assert.throws(() => decodeStatement(bytes), { code: "E-STATEMENT-SIGNATURE" });
});

test("a GENESIS needs the signature of each founder and of nobody else", () => {
  const [a, b, c] = ["a", "b", "c"].map(testKey);
  assert.ok(a && b && c);
  const keys = [a, b].map(({ publicKey }) => publicKey);
  const genesis = genesisOf(keys, [a, b]);
  for (const signatures of [genesis.signatures.slice(1), genesis.signatures.toReversed()]) {
    const encoded = encodeStatement({ bytes: genesis.bytes, signatures });
    assert.throws(() => decodeStatement(encoded), StatementError);
  }
  assert.throws(() => genesisOf(keys, [a, c]), StatementError, "a founder that is no operator");
});

test("a site that did not ask cannot be enrolled", () => {
  const founding = new Founding();
  const head = founding.next(founding.operator);
  const asked = request(founding.meshId);
  const other = request(founding.meshId, testKey("brest"));
  const forged = { ...asked, requestSignature: other.requestSignature };
  const rest = { kind: "SITE" as const, classes: [], release: null };
  assert.throws(() => signStatement({ ...head, ...rest, ...forged }, [founding.operator]), {
    code: "E-STATEMENT-SIGNATURE",
  });
});

test("a request from another mesh is refused", () => {
  const founding = new Founding();
  const head = founding.next(founding.operator);
  const elsewhere = request(new Founding("other").meshId);
  const rest = { kind: "SITE" as const, classes: [], release: null };
  assert.throws(() => signStatement({ ...head, ...rest, ...elsewhere }, [founding.operator]), {
    code: "E-STATEMENT-MESH",
  });
});

test("a signature for one kind is none for another", () => {
  const founding = new Founding();
  founding.enrol("quimper");
  const [, site] = founding.statements;
  assert.ok(site);
  const body = decodeCbor(site.bytes, 4096) as Record<string, CborValue>;
  assert.equal(signRaw(body, "site", founding.operator).id, site.id);
  assert.throws(() => signRaw(body, "grant", founding.operator), {
    code: "E-STATEMENT-SIGNATURE",
  });
});

test("a kind that this version does not know is kept as it is", () => {
  const founding = new Founding();
  const { mesh, by, prev, ...head } = founding.next(founding.operator);
  const ids = { mesh: fromHex(mesh), by: fromHex(by), prev: fromHex(prev) };
  const body = { ...head, ...ids, kind: "LATER", cutoffs: [1, 2, 3] };
  const statement = signRaw(body, "later", founding.operator);
  assert.deepEqual(decodeCbor(statement.bytes, 4096), body);
  assert.equal(statement.body.kind, "LATER");
});

test("more than 64 KiB are refused before anything is decoded", () => {
  const most = new Uint8Array(64 * 1024 + 1);
  assert.throws(() => decodeStatement(most), { code: "E-STATEMENT-SIZE" });
});

test("each kind has its own size", () => {
  const founding = new Founding();
  const { mesh, by, prev, ...head } = founding.next(founding.operator);
  const ids = { mesh: fromHex(mesh), by: fromHex(by), prev: fromHex(prev) };
  const unknown = { ...head, ...ids, kind: "LATER", filling: new Uint8Array(4096) };
  const code = "E-STATEMENT-SIZE";
  assert.throws(() => signRaw(unknown, "later", founding.operator), { code });
  const logs = Array.from({ length: 300 }, (_, index) => ({
    log: idOf<LogId>(sha256(`log ${index}`).subarray(0, 16)),
    seq: 1,
    head: idOf<EnvelopeId>(sha256("head")),
  }));
  founding.leave(testKey("quimper"), logs);
  const [, leave] = founding.statements;
  assert.ok(leave && encodeStatement(leave).length > 4096);
});
