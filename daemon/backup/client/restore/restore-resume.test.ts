import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  plantFile,
  plantFolder,
  plantSnapshot,
  plantSymlink,
  type Planted,
  type PlantedSnapshot,
} from "../../../../test-mesh/fakes/snapshot.ts";
import { runRestore } from "./restore-run.ts";
import { STAGING_NAME } from "./restore-staging.ts";
import { ShardReader } from "../shard-reader.ts";
import { setModified } from "../system-calls.ts";

let folder = "";
let target = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-resume-"));
  target = join(folder, "target");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const onProgress = (): void => {};

async function restore({ reader, root, record }: PlantedSnapshot, ...only: readonly string[]) {
  const paths = only.map((path) => Buffer.from(path));
  return runRestore({ reader, root, record, target, only: paths, privileged: false, onProgress });
}

/** A source that gives so many shards and then fails, as a daemon that is killed. */
function failingAfter({ reader, shards, root, record }: PlantedSnapshot, count: number) {
  let left = count;
  const source = {
    get: async (shard: string): Promise<Uint8Array> => {
      if (left-- <= 0) throw Object.assign(new Error("gone"), { code: "ENOSPC", syscall: "write" });
      return Uint8Array.from(shards.get(shard as typeof root) ?? []);
    },
  };
  return { reader: new ShardReader(source, reader.keys), shards, root, record };
}

const tree = (): Planted[] => [
  plantFolder("a", [plantFile("one", "first"), plantFile("two", "second")]),
  plantSymlink("link", "a/one"),
  plantFile("z", "x".repeat(5000)),
];

function assertWhole(): void {
  assert.deepEqual(readdirSync(target).toSorted(), ["a", "link", "z"]);
  assert.equal(readFileSync(join(target, "a/one"), "utf8"), "first");
  assert.equal(readFileSync(join(target, "a/two"), "utf8"), "second");
  assert.equal(readFileSync(join(target, "z"), "utf8"), "x".repeat(5000));
  assert.equal(statSync(join(target, "a")).mode & 0o777, 0o700);
  assert.equal(statSync(join(target, "a")).mtimeMs, 1_000_000_000_000);
}

/** Runs a restore that stops when the data is to be fetched: trees are there, files are not. */
async function begin(snapshot: PlantedSnapshot): Promise<void> {
  // The record, the index and the trees lie in the same shard: three reads, then the data.
  await assert.rejects(restore(failingAfter(snapshot, 2)), { code: "E-RESTORE-SPACE" });
  assert.ok(existsSync(join(target, STAGING_NAME)));
}

describe("a restore that was begun before", () => {
  it("goes on, whatever has become of its files", async () => {
    const snapshot = plantSnapshot(tree());
    await begin(snapshot);
    const a = join(target, "a");
    // Complete by its looks alone; half of it; a link where a file has to be.
    writeFileSync(join(a, "one"), "FIRST", { mode: 0o700 });
    setModified(Buffer.from(join(a, "one")), { seconds: 1_000_000_000, nanos: 1 });
    writeFileSync(join(folder, "outside"), "kept");
    symlinkSync(join(folder, "outside"), join(a, "two"));
    writeFileSync(join(target, "z"), "xx");
    chmodSync(a, 0o500);
    const { problems } = await restore(snapshot);
    assert.deepEqual(problems, []);
    assertWhole();
    assert.ok(!lstatSync(join(a, "two")).isSymbolicLink());
    assert.equal(readFileSync(join(folder, "outside"), "utf8"), "kept");
  });

  it("leaves what is complete as it is", async () => {
    const snapshot = plantSnapshot(tree());
    await restore(snapshot);
    const { ino } = statSync(join(target, "z"));
    mkdirSync(join(target, STAGING_NAME), { mode: 0o700 });
    writeFileSync(join(target, STAGING_NAME, "what"), snapshot.root);
    truncateSync(join(target, "a/one"), 2);
    const figures = await restore(snapshot);
    assertWhole();
    assert.equal(statSync(join(target, "z")).ino, ino);
    assert.deepEqual([figures.files, figures.bytes], [3, 5011]);
  });

  it("is not taken for that of another snapshot, nor are others' directories", async () => {
    await begin(plantSnapshot(tree()));
    await assert.rejects(restore(plantSnapshot(tree())), { code: "E-RESTORE-TARGET" });
    rmSync(target, { recursive: true });
    mkdirSync(join(target, STAGING_NAME), { recursive: true });
    chmodSync(join(target, STAGING_NAME), 0o777);
    await assert.rejects(restore(plantSnapshot(tree())), { code: "E-RESTORE-TARGET" });
    rmSync(target, { recursive: true });
    mkdirSync(target);
    symlinkSync(folder, join(target, STAGING_NAME));
    await assert.rejects(restore(plantSnapshot(tree())), { code: "E-RESTORE-TARGET" });
    assert.deepEqual(readdirSync(folder), ["target"]);
  });
});

describe("a restore of some paths", () => {
  it("brings them back, and tells of those that are not there", async () => {
    const { files, problems } = await restore(plantSnapshot(tree()), "/a/two", "/z/", "/a/none");
    assert.equal(files, 2);
    assert.deepEqual(problems, [{ path: "/a/none", problem: "not in this snapshot" }]);
    const names = readdirSync(target, { recursive: true }).map(String);
    assert.deepEqual(names.toSorted(), ["a", "a/two", "z"]);
  });

  it("refuses paths that lead elsewhere", async () => {
    for (const path of ["a/two", "/a/../z", "", "/a\0"]) {
      await assert.rejects(restore(plantSnapshot(tree()), path), { code: "E-RESTORE-SNAPSHOT" });
    }
    assert.ok(!existsSync(target));
  });
});

it("no snapshot has the name that restores keep for themselves", async () => {
  const snapshot = plantSnapshot([plantFolder(STAGING_NAME, [plantFile("what", "evil")])]);
  await assert.rejects(restore(snapshot), { code: "E-RESTORE-CONTENT" });
});
