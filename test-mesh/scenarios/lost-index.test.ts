/**
 * What a box keeps so that a run need not read or store anything twice, lost piece by piece: the
 * next run makes it anew, from its own store or from the mesh, and sends nothing again.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TestMesh } from "../harness.ts";
import type { Json, TestSite } from "../test-site.ts";

const MIB = 1024 * 1024;
const FILES = 20;
/** A run without changes stores one small shard: its record and what it adds to the index. */
const MAX_NEW_BYTES = 64 * 1024;

let mesh: TestMesh;
let quimper: TestSite;
let brest: TestSite;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);

before(async () => {
  mesh = await TestMesh.create();
  const [first, second] = await mesh.form(["quimper", "brest"], { dns: false });
  assert.ok(first && second);
  [quimper, brest] = [first, second];
  mkdirSync(at("source"));
  for (let number = 0; number < FILES; number++) {
    writeFileSync(at("source", `f${number}`), randomBytes(MIB));
  }
  await quimper.pleach("backup", "add", "data", "--path", at("source"));
  await run();
});
after(() => mesh.close());

const run = (): Promise<Json> => quimper.pleach("backup", "run", "data", "--copies", "1");
const settled = (): Promise<Json> => quimper.pleach("wait", "--for", "copies", "--timeout", "120s");

/** Where a run keeps what the next one may use. */
function caches(): readonly string[] {
  const cache = join(quimper.keysDirectory, "cache");
  const set = readdirSync(cache).find((name) => /^[0-9a-f]{32}$/.test(name)) ?? "";
  return ["walk", "tables"].map((name) => join(cache, set, name));
}

async function sentBytes(): Promise<number> {
  const { copies } = await quimper.pleach("backup", "show", "data");
  return Number((copies as Json)["ownerSentBytes"]);
}

describe("a run goes on and stores nothing twice", { concurrency: false }, () => {
  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ["deleted", (file) => rmSync(file)],
    ["cut off", (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2))],
    ["changed in one byte", (file) => changeByte(file, 100)],
    ["of another version", (file) => changeByte(file, 7)],
    ["of another snapshot", (file) => changeByte(file, 20)],
  ];
  for (const [what, damage] of damages) {
    it(`when its caches are ${what}`, async () => {
      for (const file of caches()) damage(file);
      const { newBytes, files, unreadable } = await run();
      assert.ok(Number(newBytes) < MAX_NEW_BYTES, `${String(newBytes)}`);
      assert.deepEqual([files, unreadable], [FILES, []]);
      const again = await run();
      assert.equal(again["readFiles"], 0);
    });
  }

  it("when its shards are lost with them: the index comes from the mesh", async () => {
    await settled();
    const sent = await sentBytes();
    await quimper.stop();
    for (const file of caches()) rmSync(file);
    rmSync(join(quimper.dataDirectory, "shards", "shards"), { recursive: true });
    await quimper.start();
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");
    const { newBytes, readFiles } = await run();
    assert.ok(Number(newBytes) < MAX_NEW_BYTES, `${String(newBytes)}`);
    assert.equal(readFiles, FILES);
    await settled();
    const resent = (await sentBytes()) - sent;
    assert.ok(resent < 2 * MAX_NEW_BYTES, `${resent} bytes were sent again`);
    await quimper.pleach("restore", "data", "--to", at("restored"));
    for (let number = 0; number < FILES; number++) {
      const back = readFileSync(join(at("restored"), at("source"), `f${number}`));
      assert.ok(back.equals(readFileSync(at("source", `f${number}`))));
    }
  });

  it("says what to do when no site that has them can be reached", async () => {
    await settled();
    await brest.stop();
    await quimper.stop();
    for (const file of caches()) rmSync(file);
    rmSync(join(quimper.dataDirectory, "shards", "shards"), { recursive: true });
    await quimper.start();
    const { exit, error } = await quimper.refused("backup", "run", "data");
    assert.deepEqual([exit, error["code"]], [1, "E-NOT-FOUND"]);
    assert.match(String(error["hint"]), /pleach peers/);
    await brest.start();
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");
    const { newBytes } = await run();
    assert.ok(Number(newBytes) < MAX_NEW_BYTES, `${String(newBytes)}`);
  });
});

function changeByte(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 4;
  writeFileSync(file, bytes);
}
