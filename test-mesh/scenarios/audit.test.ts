/**
 * Copies that are lost at real holders, with real files: found, mended or made anew, with the owner
 * and without.
 *
 * The pace is a setting that anybody may write into a configuration; 5 seconds stand for a day.
 */
import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { shardIdOf } from "../../protocol/backup/shard-id.ts";
import { withMesh, type TestMesh } from "../harness.ts";
import { StoredSet } from "../stored-set.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const MIB = 1024 * 1024;
const TOML = `[audit]
every = "5s"
whole = "5s"
scrub = "1000 days"
patience = "4s"
takeover = "20s"`;
const NAMES = ["quimper", "brest", "lorient", "vannes", "rennes"];
const SIZES = [4 * MIB, ...Array.from({ length: 99 }, () => 4096)];

/** The shards in a site's directory, by name. */
async function filesOf(site: TestSite): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const root = join(site.dataDirectory, "shards", "shards");
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) found.set(entry.name, join(entry.parentPath, entry.name));
  }
  return found;
}

async function holdersOf(mesh: TestMesh): Promise<TestSite[]> {
  const others = mesh.sites.slice(1);
  const files = await Promise.all(others.map(filesOf));
  return others.filter((_site, at) => (files[at]?.size ?? 0) >= SIZES.length);
}

/** A set of 100 shards that three sites hold. */
async function stored(mesh: TestMesh) {
  const sites = await mesh.form(NAMES, { toml: TOML, dns: false });
  const [quimper] = sites;
  assert.ok(quimper);
  const set = await StoredSet.create(quimper);
  await set.backUp(SIZES);
  await set.untilSafe(60_000);
  const holders = await holdersOf(mesh);
  assert.equal(holders.length, 3);
  return { quimper, set, holders };
}

/** Waits until so many running sites beside the owner's have every shard, each with its bytes. */
async function untilHeld(mesh: TestMesh, set: StoredSet, count: number): Promise<TestSite[]> {
  return waitFor(`${count} whole copies`, 150_000, async () => {
    const running = (await holdersOf(mesh)).filter((site) => site.running);
    if (running.length < count) throw new Error(`${running.map(({ name }) => name).join(" ")}`);
    for (const site of running) {
      for (const [shard, path] of await filesOf(site)) {
        const bytes = await readFile(path);
        if (shardIdOf(set.owner, set.set, bytes) !== shard)
          throw new Error(`${site.name} ${shard}`);
      }
    }
    return running;
  });
}

test("a holder gets back what it lost; when it and the owner's box are gone, a third copy is made", () =>
  withMesh(async (mesh) => {
    const { quimper, set, holders } = await stored(mesh);
    const [poor, flipped] = holders;
    assert.ok(poor && flipped);
    for (const share of [0.01, 0.1, 1]) {
      const files = [...(await filesOf(poor)).values()];
      for (const path of files.slice(0, Math.ceil(share * files.length))) await rm(path);
      await untilHeld(mesh, set, 3);
    }
    const [large] = set.shards.keys();
    const path = (await filesOf(flipped)).get(large ?? "");
    assert.ok(path);
    const bytes = await readFile(path);
    bytes[3_333_333] = (bytes[3_333_333] ?? 0) ^ 8;
    await writeFile(path, bytes);
    await untilHeld(mesh, set, 3);
    // The other holders gave all of it.
    assert.equal((await set.copies()).ownerSentBytes, set.bytes);
    await quimper.kill();
    await poor.kill();
    assert.ok(!(await untilHeld(mesh, set, 3)).includes(quimper));
  }));
