import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { idOf, sha256, type OwnerId, type SetId, type ShardId } from "../../../../protocol/ids.ts";
import { shardIdOf } from "../../../../protocol/backup/shard-id.ts";
import { BackupError } from "../error.ts";
import { ShardStore } from "./shard-store.ts";

const OWNER = idOf<OwnerId>(sha256("owner"));
const SET = "00112233445566778899aabbccddeeff" as SetId;

async function scratch(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "pleach-shards-"));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function someShard(sizeBytes = 8192) {
  const bytes = randomBytes(sizeBytes);
  return { bytes, name: { owner: OWNER, set: SET, shard: shardIdOf(OWNER, SET, bytes) } };
}

test("a shard is there after it was put, and again after a new start", async (context) => {
  const directory = await scratch(context);
  const store = await ShardStore.open(directory);
  const { bytes, name } = someShard();
  assert.equal(await store.put(name, bytes), "stored");
  assert.equal(await store.put(name, bytes), "there");
  const again = await ShardStore.open(directory);
  assert.equal(again.storeId, store.storeId);
  assert.deepEqual(Buffer.from((await again.read(name)) ?? []), bytes);
  assert.equal(await again.sizeOf(name), bytes.length);
});

test("the bytes of a shard may change as soon as they were written", async (context) => {
  const store = await ShardStore.open(await scratch(context));
  const { bytes, name } = someShard(4 * 1024 * 1024);
  const before = Buffer.from(bytes);
  assert.equal(await store.put(name, bytes, () => void bytes.fill(0)), "stored");
  assert.ok(bytes.every((byte) => byte === 0));
  assert.ok(before.equals((await store.read(name)) ?? new Uint8Array()));
});

test("writers of the same shard at once end in one file", async (context) => {
  const store = await ShardStore.open(await scratch(context));
  const { bytes, name } = someShard();
  const outcomes = await Promise.all([1, 2, 3].map(() => store.put(name, bytes)));
  assert.deepEqual(outcomes.toSorted(), ["stored", "there", "there"]);
});

test("bytes that are another shard are refused and leave nothing", async (context) => {
  const directory = await scratch(context);
  const store = await ShardStore.open(directory);
  const { bytes, name } = someShard();
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await assert.rejects(store.put(name, bytes), (error) => {
    return error instanceof BackupError && error.code === "E-BACKUP-SHARD" && error.exit === 2;
  });
  const odd = { owner: OWNER, set: SET, shard: idOf<ShardId>(sha256("x")) };
  await assert.rejects(store.put(odd, new Uint8Array(5)), BackupError);
  assert.deepEqual(await readdir(join(directory, "shards")), []);
  assert.deepEqual(await readdir(join(directory, "incoming")), []);
});

test("half files of a crash are swept at the start", async (context) => {
  const directory = await scratch(context);
  await ShardStore.open(directory);
  await writeFile(join(directory, "incoming", "abc.tmp"), "half");
  await ShardStore.open(directory);
  assert.deepEqual(await readdir(join(directory, "incoming")), []);
});

test("a damaged file is never given out, and a good copy can replace it", async (context) => {
  const directory = await scratch(context);
  const store = await ShardStore.open(directory);
  const { bytes, name } = someShard();
  await store.put(name, bytes);
  const path = join(directory, "shards", OWNER, SET, name.shard.slice(0, 2), name.shard);
  const damaged = await readFile(path);
  damaged[17] = (damaged[17] ?? 0) ^ 0x40;
  await writeFile(path, damaged);
  await assert.rejects(store.read(name), /damaged/);
  assert.equal(await store.discardDamaged(name), true);
  assert.equal(await store.read(name), undefined);
  assert.equal(await store.put(name, bytes), "stored");
  assert.equal(await store.discardDamaged(name), false);
  assert.equal(await store.sizeOf(name), bytes.length);
});

test("usage counts what lies on the disk for each data set", async (context) => {
  const store = await ShardStore.open(await scratch(context));
  for (const size of [4096, 8192]) {
    const { bytes, name } = someShard(size);
    await store.put(name, bytes);
  }
  const usage = await Array.fromAsync(store.usage());
  assert.deepEqual(usage, [{ owner: OWNER, set: SET, bytes: 12_288, shards: 2 }]);
});

test("killed at any moment: what was answered is there, nothing half has a final name", async (context) => {
  const directory = await scratch(context);
  const program = `
    import { randomBytes } from "node:crypto";
    import { ShardStore } from ${JSON.stringify(new URL("./shard-store.ts", import.meta.url).href)};
    import { shardIdOf } from ${JSON.stringify(new URL("../../../../protocol/backup/shard-id.ts", import.meta.url).href)};
    const [owner, set] = ${JSON.stringify([OWNER, SET])};
    const store = await ShardStore.open(${JSON.stringify(directory)});
    const one = async () => {
      for (;;) {
        const bytes = randomBytes(65536);
        const shard = shardIdOf(owner, set, bytes);
        await store.put({ owner, set, shard }, bytes);
        process.stdout.write(shard + "\\n");
      }
    };
    await Promise.all([one(), one(), one()]);
  `;
  const answered: ShardId[] = [];
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    let killAt = 0;
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (part: Buffer) => {
        text += part.toString();
        // Some shards after the first answer, each round at another moment.
        if (killAt++ === round * 3) child.kill("SIGKILL");
      });
      child.once("close", () => resolve());
    });
    const lines = text.split("\n").slice(0, -1);
    answered.push(...(lines as ShardId[]));
  }
  assert.ok(answered.length >= 5);
  const store = await ShardStore.open(directory);
  for (const shard of answered) {
    assert.equal((await store.read({ owner: OWNER, set: SET, shard }))?.length, 65_536);
  }
  const root = join(directory, "shards", OWNER, SET);
  for (const prefix of await readdir(root)) {
    for (const file of await readdir(join(root, prefix))) {
      const shard = file as ShardId;
      assert.equal((await store.read({ owner: OWNER, set: SET, shard }))?.length, 65_536);
    }
  }
});
