/**
 * Fuzzes what peers say to one another: a frame is refused by the one error of its format, or it is
 * read, and what was read comes back when it is written and read again.
 */
import assert from "node:assert/strict";
import {
  AuditMessageError,
  decodeAuditAnswer,
  decodeAuditQuestion,
  encodeAuditAnswer,
  encodeAuditQuestion,
  type AuditAnswer,
  type AuditQuestion,
} from "../../protocol/messages/audit-message.ts";
import { CborError, decodeCbor, encodeCbor, type CborValue } from "../../protocol/encoding/cbor.ts";
import { EnvelopeError } from "../../protocol/logs/envelope.ts";
import {
  idOf,
  sha256,
  toHex,
  type EnvelopeId,
  type LogId,
  type MeshId,
  type OwnerId,
  type SetId,
  type ShardId,
  type SiteId,
  type StatementId,
} from "../../protocol/ids.ts";
import { decodePresence, encodePresence, PresenceError } from "../../protocol/logs/presence.ts";
import { decodeSignedHeader, encodeSignedHeader } from "../../protocol/logs/signed-header.ts";
import { sign } from "../../protocol/keys/signature.ts";
import {
  decodeSyncMessage,
  encodeSyncMessage,
  SyncMessageError,
  type SyncMessage,
} from "../../protocol/messages/sync-message.ts";
import { readEnvelope } from "../../protocol/logs/envelope.ts";
import { testKey } from "../fakes/founding.ts";
import type { SeededRandom } from "../fakes/seeded-random.ts";
import { FreeLog } from "../hostile/free-log.ts";
import { anyValue, mutateBytes, mutateValue } from "./mutate.ts";
import type { Tally } from "./tally.ts";

type CborMap = { readonly [key: string]: CborValue };

const MOST_BYTES = 512 * 1024;
const ROUNDS = 200;
const hash = sha256("fuzz");
const key = testKey("fuzzed");
const mesh = idOf<MeshId>(hash);
const log = idOf<LogId>(hash.subarray(0, 16));
const head = idOf<EnvelopeId>(hash);
const digest = toHex(hash);

const MESSAGES: readonly SyncMessage[] = [
  {
    v: 1,
    kind: "hello",
    use: "round",
    mesh,
    oldest: 1,
    newest: 1,
    features: ["x"],
    statements: digest,
    state: digest,
  },
  { v: 1, kind: "statement-ids", ids: [idOf<StatementId>(hash)], more: true },
  { v: 1, kind: "statements-wanted", ids: [idOf<StatementId>(hash)] },
  { v: 1, kind: "statements", items: [hash], more: false },
  { v: 1, kind: "digests", classes: { zone: Array.from({ length: 16 }, () => digest) } },
  { v: 1, kind: "vectors-wanted", class: "more", buckets: [0, 15] },
  { v: 1, kind: "vectors", logs: [{ log, seq: 7, head, fromSeq: 0, yours: true }], more: true },
  { v: 1, kind: "envelopes-wanted", logs: [{ log, after: 0 }] },
  { v: 1, kind: "envelopes", items: [hash], more: false },
  { v: 1, kind: "stored", logs: [{ log, seq: 3 }] },
  { v: 1, kind: "push", statements: [hash], envelopes: [hash, hash] },
  { v: 1, kind: "pushed", results: ["stored", "kept", "refused"] },
  { v: 1, kind: "refusal", code: "busy" },
];

export function fuzzMessages(random: SeededRandom, tally: Tally): void {
  for (let round = 0; round < ROUNDS; round++) {
    fuzzCbor(random, tally);
    fuzzSync(random, tally);
    fuzzPresence(random, tally);
    fuzzHeader(random, tally);
    fuzzAudit(random, tally);
  }
}

const owner = idOf<OwnerId>(hash);
const set = idOf<SetId>(hash.subarray(0, 16));
const shard = idOf<ShardId>(hash);
const QUESTIONS: readonly AuditQuestion[] = [
  { k: "leaves", v: 1, owner, set, items: [{ shard, leaf: 1023 }] },
  { k: "whole", v: 1, owner, set, nonce: hash, shards: [shard, shard] },
];
const ANSWERS: readonly AuditAnswer[] = [
  { k: "leaves", items: [{ bytes: new Uint8Array(4096), path: [hash] }, null] },
  { k: "whole", macs: [hash, null] },
  { k: "refuse", why: "busy" },
];

function fuzzAudit(random: SeededRandom, tally: Tally): void {
  const frames = [...QUESTIONS.map(encodeAuditQuestion), ...ANSWERS.map(encodeAuditAnswer)];
  const frame = random.pick(frames);
  const changed = random.chance(0.3)
    ? mutateBytes(frame, random)
    : encodeCbor(mutateValue(decodeCbor(frame, MOST_BYTES), random));
  readOr(tally, AuditMessageError, () => {
    const question = decodeAuditQuestion(changed);
    assert.deepEqual(decodeAuditQuestion(encodeAuditQuestion(question)), question);
  });
  readOr(tally, AuditMessageError, () => {
    const answer = decodeAuditAnswer(changed);
    assert.deepEqual(decodeAuditAnswer(encodeAuditAnswer(answer)), answer);
  });
}

/** What is read is written as it was. */
function fuzzCbor(random: SeededRandom, tally: Tally): void {
  const value = anyValue(random, 4);
  const bytes = encodeCbor(value);
  assert.deepEqual(decodeCbor(bytes, MOST_BYTES), plain(value));
  const changed = mutateBytes(bytes, random);
  readOr(tally, CborError, () =>
    assert.deepEqual(encodeCbor(decodeCbor(changed, MOST_BYTES)), changed),
  );
}

/** Whole numbers come back as numbers where those are exact. */
function plain(value: CborValue): CborValue {
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(plain);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value as CborMap).map(([name, item]) => [name, plain(item)]),
  );
}

function fuzzSync(random: SeededRandom, tally: Tally): void {
  const frame = encodeSyncMessage(random.pick(MESSAGES));
  const changed = random.chance(0.3)
    ? mutateBytes(frame, random)
    : encodeCbor(mutateValue(decodeCbor(frame, MOST_BYTES), random));
  readOr(tally, SyncMessageError, () => {
    const message = decodeSyncMessage(changed);
    assert.deepEqual(decodeSyncMessage(encodeSyncMessage(message)), message);
  });
}

function fuzzPresence(random: SeededRandom, tally: Tally): void {
  const site = idOf<SiteId>(key.publicKey);
  const heard = [{ sitePrefix: site.slice(0, 8), counter: 7, direct: true }];
  const word = { mesh, site, bootId: digest.slice(0, 32), counter: 3, heard, stateDigest: digest };
  const frame = encodePresence({ ...word, version: "1", zoneSerials: { "a.example": 4 } }, key);
  const { body } = decodeCbor(frame, MOST_BYTES) as { body: Uint8Array };
  const changedBody = encodeCbor(mutateValue(decodeCbor(body, MOST_BYTES), random));
  const signature = sign(key, "pleach/presence/1", changedBody);
  const changed = random.chance(0.3)
    ? mutateBytes(frame, random)
    : encodeCbor({ v: 1, body: changedBody, signature });
  readOr(tally, PresenceError, () => {
    const presence = decodePresence(changed);
    const again = decodePresence(encodePresence(presence, key));
    // No zones are written as none.
    const { zoneSerials = {} } = presence;
    assert.deepEqual(
      { ...again, zoneSerials: again.zoneSerials ?? {} },
      { ...presence, zoneSerials },
    );
  });
}

function fuzzHeader(random: SeededRandom, tally: Tally): void {
  const { headerBytes } = readEnvelope(new FreeLog(key, mesh, "fuzz").snapshot().bytes);
  const header = encodeCbor(mutateValue(decodeCbor(headerBytes, MOST_BYTES), random));
  const bytes = encodeSignedHeader(header, sign(key, "pleach/envelope/1", header));
  const changed = random.chance(0.3) ? mutateBytes(bytes, random) : bytes;
  readOr(tally, EnvelopeError, () => {
    const signed = decodeSignedHeader(changed);
    assert.deepEqual(encodeSignedHeader(signed.headerBytes, signed.signature), changed);
  });
}

function readOr(tally: Tally, refusal: new (...args: never) => Error, read: () => void): void {
  try {
    read();
    tally.count("read");
  } catch (error) {
    if (!(error instanceof refusal)) throw error;
    tally.count("code" in error ? String(error.code) : "refused");
  }
}
