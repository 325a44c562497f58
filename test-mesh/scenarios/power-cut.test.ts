/**
 * What a power cut takes, on a disk that really loses what was not synced.
 *
 * The disk is mounted in a mount namespace of the test's own, so it starts itself once more in
 * there. Only root may mount disks.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync } from "node:fs";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ShardStore } from "../../daemon/backup/store/shards/shard-store.ts";
import type { OwnerId, SetId } from "../../protocol/ids.ts";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { CrashSite } from "../crash/crash-site.ts";
import { DiskImage } from "../crash/disk-image.ts";
import { TestMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";

const INSIDE = "PLEACH_TEST_NAMESPACE";

if (process.env[INSIDE] === undefined) {
  test("power cuts", async (context) => {
    if (process.getuid?.() !== 0) return context.skip("only root may mount disks");
    const here = fileURLToPath(import.meta.url);
    const { exit, stdout, stderr } = await runProcess(
      "unshare",
      ["--mount", process.execPath, here],
      { env: { [INSIDE]: "1" } },
    );
    assert.equal(exit, 0, `${stdout}${stderr}`);
  });
} else {
  test("a power cut takes what was not synced, and nothing else", () =>
    withDisk(async (disk, at) => {
      for (const mode of ["ordered", "writeback"] as const) {
        writeFileSync(join(at, "synced"), `synced ${mode}`);
        sync(join(at, "synced"));
        writeFileSync(join(at, "new"), "never synced");
        writeFileSync(join(at, "unsynced"), "new content");
        renameSync(join(at, "unsynced"), join(at, "synced"));
        disk.cut();
        assert.throws(() => writeFileSync(join(at, "later"), "too late"));
        await disk.unmount();
        await disk.mount(mode);
        assert.equal(readFileSync(join(at, "synced"), "utf8"), `synced ${mode}`);
        assert.deepEqual(readdirSync(at).toSorted(), ["lost+found", "synced"]);
      }
    }));

  test("what a killed process has just named is durable before it is signed for", () =>
    withDisk(async (disk, at) => {
      const owner = "11".repeat(32) as OwnerId;
      const set = "22".repeat(16) as SetId;
      const folder = join(at, "shards");
      const store = await ShardStore.open(folder);
      const bytes = randomBytes(4096);
      const shard = shardIdOf(owner, set, bytes);
      const path = join(store.folderOf(owner, set), shard.slice(0, 2), shard);
      // As `put` of a process that is killed right after the rename.
      writeFileSync(join(folder, "incoming", "killed.tmp"), bytes);
      sync(join(folder, "incoming", "killed.tmp"));
      mkdirSync(dirname(path), { recursive: true });
      renameSync(join(folder, "incoming", "killed.tmp"), path);

      await store.settleNames(owner, set);
      disk.cut();
      await disk.unmount();
      await disk.mount("ordered");
      assert.deepEqual(readFileSync(path), bytes);
    }));

  test("a data set that was added has its configuration and its keys", async () => {
    const mesh = await TestMesh.create();
    const site = await CrashSite.make(mesh, "quimper", { dns: false, dht: false });
    try {
      await site.start();
      await mesh.found(site.site);
      const words = ["backup", "add", "data", "--path", process.cwd()];
      await site.site.pleach(...words);
      await site.cutPower("ordered");
      const part = join(site.site.directory, "conf.d", "backup-data.toml");
      assert.match(readFileSync(part, "utf8"), /name = "data"/);
      await site.start();
      const { error } = await site.site.refused(...words);
      assert.equal(error["code"], "E-BACKUP-EXISTS");
    } finally {
      await site.close();
      await mesh.close();
    }
  });
}

async function withDisk(act: (disk: DiskImage, at: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pleach-disk-"));
  const at = join(folder, "disk");
  mkdirSync(at);
  const disk = await DiskImage.make(join(folder, "image"), at);
  try {
    await act(disk, at);
  } finally {
    await disk.unmount();
    rmSync(folder, { recursive: true });
  }
}

function sync(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}
