import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type MeshId, type SiteId } from "../../protocol/ids.ts";
import { testKey } from "../../test-mesh/fakes/founding.ts";
import { RawLog } from "../../test-mesh/simulation/raw-log.ts";
import { WaitingRoom } from "./waiting-room.ts";

const mesh = idOf<MeshId>(sha256("mesh"));
const peer = idOf<SiteId>(sha256("peer"));

test("an entry is not kept out by another one that its author signed for the place", () => {
  const room = new WaitingRoom();
  const key = testKey("brest");
  const log = new RawLog({ mesh, key, class: "site", part: 0, salt: new Uint8Array(16) });
  log.snap(1);
  const branch = log.branch();
  const [one, other] = [log.snap(2), branch.snap(3)];
  assert.ok(room.keep(one, peer));
  assert.ok(room.keep(other, peer));
  assert.ok(room.has(one) && room.has(other));
  room.remove(one);
  assert.ok(!room.has(one) && room.has(other));
  assert.deepEqual(room.take(log.log, 2), [{ envelope: other, from: peer, costBytes: 1024 }]);
  assert.deepEqual(room.takeAll(), []);
});
