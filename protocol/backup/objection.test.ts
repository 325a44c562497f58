import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { z } from "zod";
import { encodeCbor } from "../encoding/cbor.ts";
import { fromHex, type MeshId, type OwnerId, type StatementId } from "../ids.ts";
import { sign, signingKey } from "../keys/signature.ts";
import { isSignedObjection, objectionRecord, signObjection } from "./objection.ts";

const shape = z.object({
  domain: z.string(),
  seed: z.string(),
  mesh: z.string().transform((text) => text as MeshId),
  owner: z.string().transform((text) => text as OwnerId),
  statement: z.string().transform((text) => text as StatementId),
  key: z.string(),
  signature: z.string(),
});
const file = new URL("../vectors/objection.json", import.meta.url);
const { domain, seed, key, signature, ...objection } = shape.parse(
  JSON.parse(readFileSync(file, "utf8")),
);

test("the vector of an objection", () => {
  assert.equal(domain, "pleach/objection/1");
  const signed = signObjection(signingKey(fromHex(seed)), objection);
  assert.deepEqual(signed, { key, signature });
  assert.ok(isSignedObjection(objection, key, signature));
  assert.ok(objectionRecord.safeParse({ owner: objection.owner, signature }).success);
});

test("a signature is for one mesh, owner and statement, and in a domain of its own", () => {
  const other = "11".repeat(32);
  for (const field of ["mesh", "owner", "statement"]) {
    assert.ok(!isSignedObjection({ ...objection, [field]: other }, key, signature), field);
  }
  assert.ok(!isSignedObjection(objection, other, signature));
  assert.ok(!isSignedObjection(objection, key, ""));
  // The bytes that copies.md states, signed once in this domain and once in another one.
  const { mesh, owner, statement } = objection;
  const bytes = encodeCbor({
    v: 1,
    mesh: fromHex(mesh),
    owner: fromHex(owner),
    statement: fromHex(statement),
  });
  const signedIn = (name: "pleach/objection/1" | "pleach/other/1"): string =>
    Buffer.from(sign(signingKey(fromHex(seed)), name, bytes)).toString("hex");
  assert.ok(isSignedObjection(objection, key, signedIn("pleach/objection/1")));
  assert.ok(!isSignedObjection(objection, key, signedIn("pleach/other/1")));
});
