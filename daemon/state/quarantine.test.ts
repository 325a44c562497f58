import assert from "node:assert/strict";
import { test } from "node:test";
import { idOf, sha256, type EnvelopeId } from "../../protocol/ids.ts";
import { silentLogger } from "../observe/log.ts";
import { FakeDisk } from "../../test-mesh/fakes/store.ts";
import { GROUP_MARK, markKey } from "./keys.ts";
import { Quarantine } from "./quarantine.ts";

const [poison, other, third] = ["poison", "other", "third"].map((name) =>
  idOf<EnvelopeId>(sha256(name)),
) as [EnvelopeId, EnvelopeId, EnvelopeId];

const open = (disk: FakeDisk): Promise<Quarantine> => Quarantine.open(disk.open(), silentLogger);

/** What a process leaves that dies while it applies an entry in a group. */
async function dieOf(disk: FakeDisk, group: readonly EnvelopeId[], id: EnvelopeId): Promise<void> {
  const quarantine = await open(disk);
  await quarantine.markGroup(group);
  let left = disk.image();
  await quarantine.guard(id, async () => {
    left = disk.image();
  });
  disk.restore(left);
}

test("entries that come together share one mark, which goes when they were applied", async () => {
  const disk = new FakeDisk();
  const quarantine = await open(disk);
  await quarantine.markGroup([poison, other]);
  for (const id of [poison, other]) {
    await quarantine.guard(id, async () => {
      assert.deepEqual([...disk.content.keys()], [GROUP_MARK]);
    });
  }
  await disk.open().write(quarantine.unmarkGroup(), "durable");
  assert.equal(disk.content.size, 0);
  assert.deepEqual(quarantine.unmarkGroup(), []);
});

test("after a death each of the group has a mark of its own, and the others are spared", async () => {
  const disk = new FakeDisk();
  await dieOf(disk, [poison, other], poison);
  assert.ok(disk.content.has(GROUP_MARK));
  await dieOf(disk, [poison, other, third], poison);
  assert.deepEqual(disk.content.get(markKey(poison)), Uint8Array.of(1));
  assert.equal(disk.content.has(markKey(other)), false);
  await dieOf(disk, [third], poison);
  assert.deepEqual(disk.content.get(markKey(poison)), Uint8Array.of(2));
  const quarantine = await open(disk);
  assert.equal(quarantine.has(poison), true);
  assert.equal(quarantine.has(other), false);
  assert.equal(quarantine.has(third), false);
});

test("an entry that comes outside any group has a mark of its own", async () => {
  const disk = new FakeDisk();
  const quarantine = await open(disk);
  await quarantine.guard(third, async () => {
    assert.deepEqual([...disk.content.keys()], [markKey(third)]);
  });
  assert.equal(disk.content.size, 0);
});

test("a mark of a group that the disk has damaged keeps no daemon from starting", async () => {
  const disk = new FakeDisk();
  const value = new Uint8Array(45);
  await disk.open().write([{ kind: "put", key: GROUP_MARK, value }], "durable");
  await open(disk);
  assert.equal(disk.content.size, 0);
});
