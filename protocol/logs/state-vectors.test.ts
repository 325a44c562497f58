/**
 * The vectors of statements and entries: what is in them has to be read, and be made again byte
 * by byte from the same keys. Another implementation can be held to the same file.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { everyKind } from "../../test-mesh/fakes/every-kind.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { clientIdOf, decodeEnvelope, signEnvelope } from "./envelope.ts";
import { fromHex, idOf, toHex, type SiteId } from "../ids.ts";
import { packVersion, unpackVersion, versionId } from "./record-version.ts";
import { signingKey } from "../keys/signature.ts";
import { decodeStatement, encodeStatement } from "../statements/statement.ts";

const hex = z.string().regex(/^(?:[0-9a-f]{2})*$/);
const shape = z.object({
  about: z.string(),
  keys: z.record(z.string(), z.object({ seed: hex, publicKey: hex })),
  statements: z.array(z.object({ kind: z.string(), id: hex, bytes: hex })),
  envelopes: z.array(
    z.object({
      kind: z.string(),
      id: hex,
      log: hex,
      clientId: z.int(),
      bytes: hex,
      records: z.record(z.string(), z.object({ versionId: hex, packed: z.unknown() })),
    }),
  ),
  kept: z.array(z.object({ why: z.string(), what: z.string(), bytes: hex })),
  refused: z.array(z.object({ expect: z.string(), why: z.string(), what: z.string(), bytes: hex })),
});
const path = join(import.meta.dirname, "../vectors/state.json");
const vectors = shape.parse(JSON.parse(await readFile(path, "utf8")));

test("the keys of the vectors are those of their seeds", () => {
  for (const [name, { seed, publicKey }] of Object.entries(vectors.keys)) {
    assert.equal(toHex(signingKey(fromHex(seed)).publicKey), publicKey);
    assert.equal(toHex(testKey(name).publicKey), publicKey);
  }
});

test("the same decisions make the same statements, byte by byte", () => {
  const made = everyKind("vectors").statements.map((statement) => ({
    kind: statement.body.kind,
    id: statement.id,
    bytes: toHex(encodeStatement(statement)),
  }));
  assert.deepEqual(made, vectors.statements);
});

test("the statements are read and keep their ids", () => {
  for (const { id, kind, bytes } of vectors.statements) {
    const statement = decodeStatement(fromHex(bytes));
    assert.deepEqual([statement.id, statement.body.kind], [id, kind]);
  }
});

test("the entries are read, and signing their headers again makes the same bytes", () => {
  const author = idOf<SiteId>(testKey("quimper").publicKey);
  for (const { id, log, clientId, bytes, records } of vectors.envelopes) {
    const envelope = decodeEnvelope(fromHex(bytes));
    assert.deepEqual([envelope.id, envelope.log], [id, log]);
    const { payloadBytes: _, payloadHash: __, v: ___, ...fields } = envelope.header;
    const again = signEnvelope(testKey("quimper"), fields, envelope.payload);
    assert.equal(toHex(again.bytes), bytes);
    assert.equal(clientIdOf(envelope.log, 1), clientId);
    for (const [key, record] of Object.entries(records)) {
      const version = unpackVersion(record.packed);
      assert.ok(version);
      assert.deepEqual(packVersion(version), record.packed);
      assert.equal(versionId(author, envelope.header.class, key, version), record.versionId);
    }
  }
});

test("what a later version may say is kept as it is", () => {
  for (const { what, why, bytes } of vectors.kept) {
    const encoded = fromHex(bytes);
    const kept =
      what === "statement"
        ? encodeStatement(decodeStatement(encoded))
        : decodeEnvelope(encoded).bytes;
    assert.equal(toHex(kept), bytes, why);
  }
});

test("what has to be refused is refused with its code", () => {
  for (const { expect, what, why, bytes } of vectors.refused) {
    const decode = what === "statement" ? decodeStatement : decodeEnvelope;
    assert.throws(() => decode(fromHex(bytes)), { code: expect }, why);
  }
});
