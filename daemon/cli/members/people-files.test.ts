import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { MadeFiles, readBounded, readSmallFile } from "./people-files.ts";

async function inDirectory(act: (directory: string) => Promise<void>) {
  const directory = await mkdtemp(join(tmpdir(), "people-"));
  try {
    await act(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("a file without end, a directory and none at all are refused in one line", () =>
  inDirectory(async (directory) => {
    for (const path of ["/dev/zero", directory, join(directory, "none")]) {
      await assert.rejects(readSmallFile(path), (error: Error & { code?: string }) => {
        assert.equal(error.code, "E-FILE", path);
        assert.ok(error.message.startsWith(`${path} `) && !error.message.includes("\n"));
        return error.message.split(path).length === 2;
      });
    }
    const path = join(directory, "some");
    await writeFile(path, "twelve bytes");
    assert.equal(await readBounded(path, 12), "twelve bytes");
    await assert.rejects(readBounded(path, 11), { code: "E-FILE" });
  }));

test("a file that is there is named, and never written over", () =>
  inDirectory(async (directory) => {
    const path = join(directory, "there");
    await writeFile(path, "before");
    const there = { code: "E-KEY-FILE", message: /is there already/ };
    await assert.rejects(new MadeFiles().create(path, "after"), there);
    assert.equal(await readFile(path, "utf8"), "before");
    const nowhere = { code: "E-KEY-FILE", message: /cannot be written \(ENOENT\)/ };
    await assert.rejects(new MadeFiles().create(join(directory, "no", "where"), ""), nowhere);
  }));
