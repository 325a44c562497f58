import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import {
  AUDIT_PROTOCOL,
  auditMac,
  AuditMessageError,
  decodeAuditAnswer,
  decodeAuditQuestion,
  encodeAuditAnswer,
  encodeAuditQuestion,
  MAX_LEAVES_ASKED,
} from "./audit-message.ts";
import { decodeCbor, encodeCbor, type CborValue } from "../encoding/cbor.ts";
import { fromHex, toHex, type OwnerId, type SetId, type ShardId, type SiteId } from "../ids.ts";
import { merkleProof, shardIdOf } from "../backup/shard-id.ts";

const shape = z.object({
  about: z.string(),
  protocol: z.string(),
  owner: z.string(),
  set: z.string(),
  holder: z.string(),
  shard: z.string(),
  nonce: z.string(),
  mac: z.string(),
  leaves: z.object({ question: z.string(), answerStart: z.string(), path: z.array(z.string()) }),
  whole: z.object({ question: z.string(), answer: z.string() }),
  refuse: z.string(),
});
const path = join(import.meta.dirname, "../vectors/audit.json");
const vectors = shape.parse(JSON.parse(readFileSync(path, "utf8")));
const owner = vectors.owner as OwnerId;
const set = vectors.set as SetId;
/** Byte i is i modulo 251. */
const bytes = Uint8Array.from({ length: 12_288 }, (_, at) => at % 251);
const shard = vectors.shard as ShardId;
const nonce = fromHex(vectors.nonce);
const mac = auditMac(nonce, vectors.holder as SiteId, shard, bytes);

test("the vectors come out", () => {
  assert.equal(AUDIT_PROTOCOL, vectors.protocol);
  assert.equal(shardIdOf(owner, set, bytes), shard);
  assert.equal(toHex(mac), vectors.mac);
  const proof = merkleProof(bytes, 2 * 4096, 4096);
  assert.deepEqual(proof.map(toHex), vectors.leaves.path);
  const items = [{ shard, leaf: 2 }];
  const leaves = encodeAuditQuestion({ k: "leaves", v: 1, owner, set, items });
  assert.equal(toHex(leaves), vectors.leaves.question);
  const leaf = { bytes: bytes.subarray(2 * 4096), path: [...proof] };
  const answer = toHex(encodeAuditAnswer({ k: "leaves", items: [leaf, null] }));
  assert.equal(answer.slice(0, vectors.leaves.answerStart.length), vectors.leaves.answerStart);
  const whole = encodeAuditQuestion({ k: "whole", v: 1, owner, set, nonce, shards: [shard] });
  assert.equal(toHex(whole), vectors.whole.question);
  const macs = encodeAuditAnswer({ k: "whole", macs: [mac, null] });
  assert.equal(toHex(macs), vectors.whole.answer);
  assert.equal(toHex(encodeAuditAnswer({ k: "refuse", why: "busy" })), vectors.refuse);
});

test("what is written is read, and fits into a frame", () => {
  const full = { bytes: new Uint8Array(4096), path: Array.from({ length: 10 }, () => nonce) };
  const items = Array.from({ length: MAX_LEAVES_ASKED }, () => full);
  const frame = encodeAuditAnswer({ k: "leaves", items });
  assert.ok(frame.length < 128 * 1024);
  assert.deepEqual(decodeAuditAnswer(frame), { k: "leaves", items });
});

test("one leaf or shard more than may be asked is refused, and so is any other nonsense", () => {
  const changed = (question: string, change: (map: Record<string, CborValue>) => void) => {
    const map = { ...(decodeCbor(fromHex(question), 4096) as Record<string, CborValue>) };
    change(map);
    return () => decodeAuditQuestion(encodeCbor(map));
  };
  const { question: leaves } = vectors.leaves;
  const { question: whole } = vectors.whole;
  const id = fromHex(shard);
  const bad = [
    changed(leaves, (map) => (map["items"] = [])),
    changed(
      leaves,
      (map) => (map["items"] = Array.from({ length: 25 }, () => ({ shard: id, leaf: 0 }))),
    ),
    changed(leaves, (map) => (map["items"] = [{ shard: id, leaf: 1024 }])),
    changed(leaves, (map) => (map["v"] = 2)),
    changed(whole, (map) => (map["shards"] = Array.from({ length: 9 }, () => id))),
    changed(whole, (map) => (map["nonce"] = id.subarray(1))),
    changed(whole, (map) => (map["k"] = "refuse")),
    () => decodeAuditAnswer(new Uint8Array(128 * 1024 + 1)),
    () => decodeAuditAnswer(Uint8Array.of(0xff)),
  ];
  for (const read of bad) assert.throws(read, AuditMessageError);
});

test("the answer for a whole shard is nobody else's", () => {
  const other = auditMac(nonce, vectors.owner as never, shard, bytes);
  assert.notDeepEqual(other, mac);
});
