import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import nacl from "tweetnacl";
import type { MeshId, OwnerId } from "../../../../protocol/ids.ts";
import { FakeSetStore } from "../../../../test-mesh/fakes/set-store.ts";
import { runBackup } from "../run/backup-run.ts";
import { createSetKeys, type SetKeyFile } from "../keys/set-key-file.ts";
import { writeDamaged } from "../seal/tired-shards.ts";
import { runVerify, type VerifyReport } from "./verify-run.ts";

const MIB = 1024 * 1024;
const pin = {
  meshId: "00".repeat(32) as MeshId,
  ownerId: "11".repeat(32) as OwnerId,
  box: nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(9)).publicKey,
};

let folder = "";
let keys: SetKeyFile;
let store: FakeSetStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-verify-"));
  mkdirSync(join(folder, "source"));
  keys = createSetKeys(join(folder, "keys"), "data", pin, 0);
  store = new FakeSetStore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(): Promise<void> {
  await runBackup({
    keys,
    paths: [Buffer.from(join(folder, "source"))],
    excluded: () => false,
    copies: 3,
    store,
    cacheFolder: join(folder, "cache"),
    now: () => 1000,
    onProgress: () => {},
  });
}

async function verify(): Promise<VerifyReport> {
  const { head, shards } = store;
  const { owner, set, setKey, epochs } = keys;
  assert.ok(head);
  return runVerify({
    keys: { owner, set, setKey, epochs: new Map(epochs.map((one) => [one.epoch, one.key])) },
    newest: head.root,
    choose: () => [head.root],
    folder: undefined,
    holders: [{ name: "brest", give: async (shard) => shards.get(shard)?.slice() }],
    heal: false,
    onProgress: () => {},
  });
}

describe("a verification", () => {
  it("finds all sound after any shard was lost and its chunks stored anew", async () => {
    for (let number = 0; number < 12; number++) {
      writeFileSync(join(folder, "source", `f${number}`), randomBytes(2 * MIB));
    }
    await run();
    for (let turn = 0; turn < 4; turn++) {
      const lost = [...store.listed].filter((shard) => shard !== store.head?.root)[turn];
      assert.ok(lost);
      store.shards.delete(lost);
      writeDamaged(join(folder, "cache", keys.set), [lost]);
      assert.equal((await verify()).problems.length, 1, `turn ${turn}`);
      await run();
      const { problems, affected, files } = await verify();
      assert.deepEqual([problems, affected, files], [[], [], 12], `turn ${turn}`);
    }
  });
});
