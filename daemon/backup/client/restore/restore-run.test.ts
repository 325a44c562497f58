import assert from "node:assert/strict";
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { PleachError } from "../../../../protocol/error.ts";
import type { Xattr } from "../../../../protocol/backup/tree.ts";
import {
  plantFile,
  plantFolder,
  plantSnapshot,
  plantSymlink,
  type Planted,
  type PlantedSnapshot,
} from "../../../../test-mesh/fakes/snapshot.ts";
import type { RestoreFigures } from "./restore-request.ts";
import { runRestore } from "./restore-run.ts";
import { readXattrs, writeXattr } from "../system-calls.ts";

let folder = "";
let target = "";
let outside = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-restore-"));
  target = join(folder, "target");
  outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "kept"), "kept");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function restore(
  { reader, root, record }: PlantedSnapshot,
  privileged = true,
): Promise<RestoreFigures> {
  const onProgress = (): void => {};
  return runRestore({ reader, root, record, target, privileged, onProgress });
}

/** Nothing but the target was touched. */
function assertContained(): void {
  assert.deepEqual(readdirSync(outside), ["kept"]);
  assert.equal(readFileSync(join(outside, "kept"), "utf8"), "kept");
  assert.deepEqual(readdirSync(folder).toSorted(), ["outside", "target"]);
}

describe("a restore", () => {
  it("writes what a sound snapshot says", async () => {
    await restore(
      plantSnapshot([
        plantFolder("a", [plantFile("empty", ""), plantFile("file", "words")]),
        plantSymlink("link", outside),
      ]),
    );
    assert.equal(readFileSync(join(target, "a/file"), "utf8"), "words");
    assert.equal(readFileSync(join(target, "a/empty"), "utf8"), "");
    assert.equal(
      lstatSync(join(target, "a/file"), { bigint: true }).mtimeNs,
      1_000_000_000_000_000_001n,
    );
    assert.equal(
      lstatSync(join(target, "a"), { bigint: true }).mtimeNs,
      1_000_000_000_000_000_001n,
    );
    assert.ok(lstatSync(join(target, "link")).isSymbolicLink());
    assertContained();
  });

  it("writes a file whose entry alone is longer than a chunk of data", async () => {
    const count = 400_000;
    const at = 2 ** 32;
    const extents = Array.from({ length: count }, (_, n) => ({ offset: at + 2 * n, length: 1 }));
    const plain = plantFile("sparse", "x".repeat(count));
    const sizeBytes = at + 2 * count;
    const sparse = { ...plain, entry: { ...plain.entry, extents, sizeBytes } } as Planted;
    await restore(plantSnapshot([sparse]));
    assert.equal(lstatSync(join(target, "sparse")).size, sizeBytes);
    const fd = openSync(join(target, "sparse"), "r");
    const end = Buffer.alloc(4);
    readSync(fd, end, 0, 4, sizeBytes - 4);
    closeSync(fd);
    assert.equal(end.toString("latin1"), "x\0x\0");
  });

  it("does not go through a link that stands in for a directory", async () => {
    // One name twice: first a link to the outside, then a directory to be filled.
    const trick = [plantSymlink("x", outside), plantFolder("x", [plantFile("kept", "lost")])];
    await assert.rejects(restore(plantSnapshot(trick)), { code: "E-TREE-FORM" });
    assertContained();
  });

  it("stays in the target, whatever the trees say", async () => {
    const name = fc.constantFrom(
      "a",
      "b",
      "..",
      ".",
      "../outside",
      "/outside/kept",
      "x/y",
      "",
      "a\0b",
    );
    const leaf = fc.oneof(
      name.map((each) => plantFile(each, "evil")),
      fc
        .tuple(name, fc.constantFrom("/", "..", "../outside", "../outside/kept", "a"))
        .map(([each, to]) => plantSymlink(each, to)),
    );
    const { tree } = fc.letrec<{ tree: Planted; folder: Planted }>((tie) => ({
      tree: fc.oneof({ depthSize: "small" }, leaf, tie("folder")),
      folder: fc
        .tuple(name, fc.array(tie("tree"), { maxLength: 3 }))
        .map(([each, below]) => plantFolder(each, below)),
    }));
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 4 }), async (top) => {
        rmSync(target, { recursive: true, force: true });
        try {
          await restore(plantSnapshot(top));
        } catch (error) {
          assert.ok(error instanceof PleachError, String(error));
        }
        assertContained();
      }),
      { numRuns: 20 },
    );
  });

  it("refuses a file whose chunks are not as long as it says", async () => {
    const file = plantFile("a", "four");
    const longer = { ...file, entry: { ...file.entry, sizeBytes: 5 } } as Planted;
    await assert.rejects(restore(plantSnapshot([longer])), { code: "E-RESTORE-CONTENT" });
  });

  it("names a shard whose bytes are not its own, and writes nothing of it", async () => {
    const planted = plantSnapshot([plantFile("a", "words")]);
    const bytes = planted.shards.get(planted.root);
    assert.ok(bytes);
    bytes[400] = (bytes[400] ?? 0) ^ 1;
    await assert.rejects(restore(planted), (error: Error) => {
      assert.match(error.message, new RegExp(planted.root));
      assert.equal((error as PleachError).code, "E-BACKUP-STORE");
      return true;
    });
    assert.deepEqual(readdirSync(target), []);
  });

  it("leaves capabilities of files out, as it does set-id bits, unless asked", async (context) => {
    if (process.geteuid?.() !== 0) return context.skip("only root can set them");
    const plain = plantFile("tool", "#!/bin/sh");
    // All effective: cap_setuid. See capabilities(7).
    const setuid = Buffer.from("0100000280000000000000000000000000000000", "hex");
    const xattrs: readonly Xattr[] = [[Buffer.from("security.capability"), setuid]];
    const tool = { ...plain, entry: { ...plain.entry, xattrs } } as Planted;
    const figures = await restore(plantSnapshot([tool]), false);
    assert.deepEqual(readXattrs(Buffer.from(join(target, "tool"))), []);
    assert.match(figures.problems[0]?.problem ?? "", /^capabilities left out/);
    rmSync(target, { recursive: true });
    assert.deepEqual((await restore(plantSnapshot([tool]), true)).problems, []);
    assert.equal(readXattrs(Buffer.from(join(target, "tool"))).length, 1);
  });

  it("lets nobody read a file because of what the target hands down", async () => {
    // Whatever is made in the directory may be read by user 4242. See acl(5) and xattr(7).
    const acl = Buffer.from(
      "0200000001000700ffffffff0200070092100000" +
        "04000000ffffffff10000700ffffffff20000000ffffffff",
      "hex",
    );
    writeXattr(Buffer.from(folder), [Buffer.from("system.posix_acl_default"), acl]);
    const open = plantFile("file", "words");
    const file = { ...open, entry: { ...open.entry, mode: 0o640 } } as Planted;
    const planted = plantSnapshot([file, plantFolder("folder", [file])]);
    await restore(planted);
    for (const name of ["file", "folder", "folder/file"]) {
      assert.deepEqual(readXattrs(Buffer.from(join(target, name))), [], name);
    }
    rmSync(target, { recursive: true });
    mkdirSync(target);
    await assert.rejects(restore(planted), { code: "E-RESTORE-TARGET" });
    assert.deepEqual(readdirSync(target), []);
  });

  it("takes a directory only if it is empty", async () => {
    mkdirSync(target);
    writeFileSync(join(target, "mine"), "mine");
    await assert.rejects(restore(plantSnapshot([plantFile("a", "words")])), {
      code: "E-RESTORE-TARGET",
      changed: "Nothing was changed.",
    });
    assert.deepEqual(readdirSync(target), ["mine"]);
  });

  it("says before it begins that there is no room", async () => {
    const planted = plantSnapshot([plantFile("a", "words")]);
    const record = { ...planted.record, roomBytes: 2 ** 60 };
    await assert.rejects(restore({ ...planted, record }), { code: "E-RESTORE-SPACE" });
    assert.deepEqual(readdirSync(target), []);
  });
});
