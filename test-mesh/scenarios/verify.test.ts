/** `pleach backup verify` with real daemons: what it finds, what it heals, what it names. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";

const MIB = 1024 * 1024;
/** Nothing else looks at the copies meanwhile. */
const TOML = `[audit]\n${["every", "whole", "scrub"].map((key) => `${key} = "1000 days"`).join("\n")}`;

let mesh: TestMesh;
let quimper: TestSite;
let brest: TestSite;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);

before(async () => {
  mesh = await TestMesh.create();
  const [first, second] = await mesh.form(["quimper", "brest"], { dns: false, toml: TOML });
  assert.ok(first && second);
  [quimper, brest] = [first, second];
  mkdirSync(at("source", "many"), { recursive: true });
  for (let number = 0; number < 12; number++) {
    writeFileSync(at("source", `f${number}`), randomBytes(2 * MIB));
    writeFileSync(at("source", "many", `${number}`), `${number}`);
  }
  await quimper.pleach("backup", "add", "data", "--path", at("source"));
  await quimper.pleach("backup", "run", "data", "--copies", "1");
  writeFileSync(at("source", "later"), "later");
  await quimper.pleach("backup", "run", "data", "--copies", "1");
  await quimper.pleach("wait", "--for", "copies", "--timeout", "120s");
});
after(() => mesh.close());

/** Stored shards by their names. */
function shardsOf(site: TestSite): ReadonlyMap<string, string> {
  const folder = join(site.dataDirectory, "shards", "shards");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((file) => file.isFile())
      .map(({ name, parentPath }) => [name, join(parentPath, name)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Files of full shards, in which the content of files lies. */
function fullShards(site: TestSite): readonly string[] {
  return [...shardsOf(site).values()].filter((file) => statSync(file).size === 4 * MIB);
}

function flipByte(file: string, offset: number): void {
  const fd = openSync(file, "r+");
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(fd, byte, 0, 1, offset);
  closeSync(fd);
}

interface Copy {
  readonly copy: string;
  readonly sound: boolean;
  readonly shards: number;
  readonly files: number;
  readonly snapshots: number;
  readonly problems: readonly {
    readonly shard: string;
    readonly state: string;
    readonly goodAt: string | null;
    readonly isHealed: boolean;
  }[];
  readonly affected: readonly { readonly path: string; readonly kind: string }[];
}

async function verify(...args: readonly string[]): Promise<{ exit: number | null; copy: Copy }> {
  const { exit, stdout } = await quimper.run(["--json", "backup", "verify", "data", ...args]);
  const json = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Json;
  const [copy] = (json["copies"] ?? []) as Copy[];
  assert.ok(copy, stdout);
  return { exit, copy };
}

/** Bytes of the middle, a whole file, and half of one. */
function damage(site: TestSite): readonly string[] {
  const [flipped, deleted, cut] = fullShards(site);
  assert.ok(flipped && deleted && cut);
  flipByte(flipped, 2 * MIB + 77);
  rmSync(deleted);
  truncateSync(cut, 2 * MIB);
  return [flipped, deleted, cut].map((file) => basename(file));
}

describe("a verification", { concurrency: false }, () => {
  it("of a sound copy says what it read", async () => {
    for (const args of [[], ["--from", "brest"], ["--remote"]]) {
      const { exit, copy } = await verify(...args);
      assert.deepEqual([exit, copy.sound, copy.problems], [0, true, []], JSON.stringify(copy));
      assert.deepEqual([copy.files, copy.snapshots], [25, 1]);
      assert.equal(copy.copy, args.length === 0 ? "this machine" : "brest");
      assert.ok(copy.shards >= 7, `${copy.shards}`);
    }
    assert.equal((await verify("--at", "1")).copy.files, 24);
    const all = await verify("--all");
    assert.deepEqual([all.copy.files, all.copy.snapshots], [49, 2]);
    const told = (await quimper.run(["backup", "verify", "data"])).stdout;
    assert.match(told, /^this machine: one snapshot of data, \d+ shards .*25 files\.\nAll of it/);
  });

  it("finds damage of each kind, and heals it from a holder", async () => {
    const root = [...shardsOf(quimper).values()].find((file) => statSync(file).size < 4 * MIB);
    assert.ok(root);
    const damaged = damage(quimper);
    flipByte(root, 400);
    const expected = [...damaged, basename(root)].toSorted();
    const looked = await verify("--all", "--dry-run");
    assert.equal(looked.exit, 3);
    const found = looked.copy.problems;
    assert.deepEqual(found.map(({ shard }) => shard).toSorted(), expected);
    assert.deepEqual(new Set(found.map(({ goodAt }) => goodAt)), new Set(["brest"]));
    assert.ok(found.every(({ isHealed }) => !isHealed));
    const states = Object.groupBy(found, ({ state }) => state);
    assert.deepEqual([states["missing"]?.length, states["damaged"]?.length], [1, 3]);
    const healed = await verify("--all");
    assert.equal(healed.exit, 3);
    assert.ok(healed.copy.problems.every(({ isHealed }) => isHealed));
    assert.equal((await verify("--all")).exit, 0);
  });

  it("names what a holder lacks", async () => {
    const [file] = fullShards(brest);
    assert.ok(file);
    flipByte(file, 1000);
    const { exit, copy } = await verify("--from", "brest");
    assert.equal(exit, 1);
    assert.deepEqual(copy.problems, [
      { shard: basename(file), state: "missing", goodAt: null, isHealed: false },
    ]);
    assert.ok(copy.affected.length > 0);
    assert.equal((await verify()).exit, 0);
  });

  it("names the files that are lost, and the next run stores them anew", async () => {
    const lost = basename(fullShards(brest)[0] ?? "");
    flipByte(shardsOf(quimper).get(lost) ?? "", 5000);
    const { exit, copy } = await verify();
    assert.equal(exit, 1);
    assert.deepEqual(copy.problems, [
      { shard: lost, state: "damaged", goodAt: null, isHealed: false },
    ]);
    const named = copy.affected.map(({ path }) => path);
    assert.ok(named.length > 0 && named.length < 25, named.join());
    const only = (path: string, to: string) =>
      quimper.run(["restore", "data", "--path", path, "--to", at(to)]);
    let failed = 0;
    for (let number = 0; number < 12; number++) {
      const path = at("source", `f${number}`);
      const restored = await only(path, `restored-${number}`);
      // Of a shard that was damaged in one place other places may still be read.
      assert.ok(restored.exit === 0 || named.includes(path), restored.stderr);
      failed += restored.exit === 0 ? 0 : 1;
    }
    assert.ok(failed > 0);
    await quimper.pleach("backup", "run", "data", "--copies", "1");
    const after = await verify();
    assert.deepEqual([after.exit, after.copy.affected], [0, []], JSON.stringify(after.copy));
    assert.equal((await only(named[0] ?? "", "again")).exit, 0);
  });
});
