import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idOf, sha256, toHex, type MeshId, type SiteId } from "../ids.ts";
import {
  decodePresence,
  encodePresence,
  MAX_COUNTER,
  MAX_ECHOES,
  MAX_PRESENCE_BYTES,
  PresenceError,
  type Presence,
} from "./presence.ts";
import { signingKey } from "../keys/signature.ts";

const key = signingKey(sha256("key"));
const word: Presence = {
  mesh: idOf<MeshId>(sha256("mesh")),
  site: idOf<SiteId>(key.publicKey),
  bootId: toHex(sha256("boot").subarray(0, 16)),
  counter: MAX_COUNTER,
  heard: [
    { sitePrefix: "00ff00ff", counter: 77, direct: true },
    { sitePrefix: "ffffffff", counter: MAX_COUNTER, direct: false },
  ],
  stateDigest: toHex(sha256("state")),
  version: "0.1.0",
  zoneSerials: { "hedge.example.": 42 },
};

test("a word comes back as it was said", () => {
  assert.deepEqual(decodePresence(encodePresence(word, key)), word);
});

test("a word of another site's key, and any changed byte, is refused", () => {
  const other = signingKey(sha256("other"));
  assert.throws(() => decodePresence(encodePresence(word, other)), PresenceError);
  const frame = encodePresence(word, key);
  fc.assert(
    fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const damaged = Uint8Array.from(frame);
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      assert.throws(() => decodePresence(damaged), PresenceError);
    }),
  );
});

test("a mesh of 64 sites with 100 zones fits in one frame, with as many zones as find room", () => {
  const full: Presence = {
    ...word,
    heard: Array.from({ length: MAX_ECHOES }, (_, counter) => ({
      sitePrefix: "01020304",
      direct: true,
      counter,
    })),
    zoneSerials: Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`zone-${index}.hedge.example.`, index]),
    ),
  };
  const frame = encodePresence(full, key);
  assert.ok(frame.length <= MAX_PRESENCE_BYTES);
  const decoded = decodePresence(frame);
  assert.equal(decoded.heard.length, MAX_ECHOES);
  assert.ok(Object.keys(decoded.zoneSerials ?? {}).length >= 1);
});
