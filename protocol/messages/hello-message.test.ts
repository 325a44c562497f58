import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCbor } from "../encoding/cbor.ts";
import { decodeHello, encodeHello, type Hello } from "./hello-message.ts";
import { idOf, sha256, type MeshId } from "../ids.ts";

const hello: Hello = {
  mesh: idOf<MeshId>(sha256("mesh")),
  instance: "00112233445566778899aabbccddeeff",
  version: "0.1.0",
  addresses: ["/ip4/192.0.2.1/tcp/4901"],
};

test("a hello is read as it was written", () => {
  assert.deepEqual(decodeHello(encodeHello(hello)), hello);
});

test("what is none is refused, in every part", () => {
  const fields = {
    v: 1,
    mesh: sha256("mesh"),
    instance: new Uint8Array(16),
    version: "1",
    addresses: [],
  };
  assert.ok(decodeHello(encodeCbor(fields)) !== undefined);
  const wrong = [
    { ...fields, v: 2 },
    { ...fields, mesh: new Uint8Array(31) },
    { ...fields, instance: "text" },
    { ...fields, version: "x".repeat(65) },
    { ...fields, addresses: Array.from({ length: 17 }, () => "/ip4/192.0.2.1/tcp/1") },
    { ...fields, addresses: ["x".repeat(257)] },
    { ...fields, more: 1 },
  ];
  for (const each of wrong) assert.equal(decodeHello(encodeCbor(each)), undefined);
  assert.equal(decodeHello(new Uint8Array(9000)), undefined);
  assert.equal(decodeHello(Uint8Array.of(0xff)), undefined);
});
