import assert from "node:assert/strict";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskImage } from "./disk-image.ts";

test("a power cut takes what was not synced, and nothing else", async (context) => {
  if (process.getuid?.() !== 0) return context.skip("only root may mount");
  const folder = mkdtempSync(join(tmpdir(), "pleach-disk-"));
  const at = join(folder, "disk");
  mkdirSync(at);
  const disk = await DiskImage.make(join(folder, "image"), at);
  try {
    for (const mode of ["ordered", "writeback"] as const) {
      writeFileSync(join(at, "synced"), `synced ${mode}`);
      const fd = openSync(join(at, "synced"), "r");
      fsyncSync(fd);
      closeSync(fd);
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
  } finally {
    await disk.unmount();
    rmSync(folder, { recursive: true });
  }
});
