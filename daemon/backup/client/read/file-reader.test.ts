import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { cutLength, gearTable } from "../../../../protocol/backup/chunk-cut.ts";
import { FileReader, hasChanged, type ReadFile } from "./file-reader.ts";
import { inodeOf } from "./stat-entry.ts";

const MIB = 1024 * 1024;
const gear = gearTable(new Uint8Array(32));
const reader = new FileReader(gear);
let folder = "";
let file = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pleach-read-"));
  file = join(folder, "file");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(
  expected: { readonly size: number; readonly ino: number },
  onChunk = (_chunk: Uint8Array): void => {},
): ReadFile & { readonly content: Buffer; readonly chunks: number } {
  const parts: Buffer[] = [];
  const facts = { path: Buffer.from(file), sizeBytes: expected.size, inode: expected.ino };
  const outcome = reader.read(facts, (chunk) => {
    parts.push(Buffer.from(chunk));
    onChunk(chunk);
  });
  return { ...outcome, content: Buffer.concat(parts), chunks: parts.length };
}

describe("reading a file", () => {
  it("gives all bytes, in chunks", () => {
    const content = randomBytes(11 * MIB);
    writeFileSync(file, content);
    const outcome = read(statSync(file));
    assert.ok(outcome.content.equals(content));
    assert.ok(outcome.chunks >= 3);
    assert.equal(outcome.changed, false);
    assert.equal(outcome.extents, undefined);
  });

  it("cuts where it would with the whole file at hand", () => {
    // Noise is cut at about each MiB; in zeros there is no cut before the longest chunk.
    const content = Buffer.concat([
      randomBytes(7 * MIB),
      Buffer.alloc(9 * MIB),
      randomBytes(5 * MIB),
    ]);
    writeFileSync(file, content);
    const lengths: number[] = [];
    read(statSync(file), (chunk) => lengths.push(chunk.length));
    const expected: number[] = [];
    for (let at = 0; at < content.length; at += expected.at(-1) ?? 0) {
      expected.push(cutLength(gear, content, at, content.length));
    }
    assert.deepEqual(lengths, expected);
  });

  it("leaves holes out and says where the data are", () => {
    writeFileSync(file, "");
    truncateSync(file, 30 * MIB);
    const hole = read(statSync(file));
    assert.deepEqual([hole.chunks, hole.extents, hole.sizeBytes], [0, [], 30 * MIB]);
    appendFileSync(file, "end");
    const end = read(statSync(file));
    assert.ok(end.content.length <= 65_536 && end.content.includes("end"));
    assert.equal(end.sizeBytes, 30 * MIB + 3);
    const [range] = end.extents ?? [];
    assert.equal((range?.offset ?? 0) + (range?.length ?? 0), end.sizeBytes);
  });

  it("cuts an image at each 4 MiB of the file, whatever holes come before", () => {
    const images = new FileReader(undefined);
    const cells = (): readonly string[] => {
      const { size, ino } = statSync(file);
      const found: string[] = [];
      const seen = { path: Buffer.from(file), sizeBytes: size, inode: ino };
      images.read(seen, (chunk) => found.push(createHash("sha256").update(chunk).digest("hex")));
      return found;
    };
    writeFileSync(file, randomBytes(10 * MIB));
    const before = cells();
    assert.equal(before.length, 3);
    const punched = spawnSync("fallocate", ["--punch-hole", "--length", `${MIB}`, file]);
    assert.equal(punched.status, 0);
    const after = cells();
    assert.notEqual(after[0], before[0]);
    assert.deepEqual(after.slice(1), before.slice(1));
  });

  it("marks a file that is not what was seen before", () => {
    writeFileSync(file, "one");
    const before = statSync(file);
    appendFileSync(file, " two");
    const outcome = read(before);
    assert.deepEqual([outcome.changed, outcome.sizeBytes], [true, 7]);
  });

  it("marks a file that grows or shrinks meanwhile, and keeps to the size it told", () => {
    writeFileSync(file, randomBytes(9 * MIB));
    const grown = read(statSync(file), () => appendFileSync(file, "x"));
    assert.deepEqual([grown.changed, grown.content.length], [true, grown.sizeBytes]);
    writeFileSync(file, randomBytes(30 * MIB));
    const shrunk = read(statSync(file), () => truncateSync(file, 1000));
    assert.deepEqual([shrunk.changed, shrunk.content.length], [true, 30 * MIB]);
  });

  it("marks one that is written anew within the tick of the clock that dates files", () => {
    const versions = [Buffer.alloc(65_536, 1), Buffer.alloc(65_536, 2)] as const;
    for (let turn = 0; turn < 40; turn++) {
      writeFileSync(file, versions[0]);
      const outcome = read(statSync(file), () => writeFileSync(file, versions[1], { flag: "r+" }));
      assert.equal(outcome.changed, true, `turn ${turn}`);
    }
  });

  it("follows no link and waits for no pipe that took the place of the file", () => {
    const seen = { size: 3, ino: 1 };
    symlinkSync("/etc/hostname", file);
    assert.throws(() => read(seen), { code: "ELOOP" });
    rmSync(file);
    spawnSync("mkfifo", [file]);
    assert.throws(() => read(seen), { code: "ECHANGED" });
  });
});

it("knows a file again by an inode of 64 bits, as overlays and network file systems give", () => {
  for (const ino of [2n ** 62n + 2n, -(2n ** 63n) + 2n, 2n ** 53n - 1n]) {
    const stat = { ino, size: 5n, mtimeNs: 1n, ctimeNs: 2n };
    const expected = { inode: inodeOf(stat), sizeBytes: 5 };
    assert.equal(hasChanged(expected, stat, stat), false);
    assert.equal(hasChanged(expected, { ...stat, ino: ino + 1n }, stat), true);
    assert.equal(hasChanged(expected, stat, { ...stat, ctimeNs: 3n }), true);
  }
});
