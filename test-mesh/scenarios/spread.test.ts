/** Sealed shards reach three other sites, between real daemons. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openReceipt } from "../../protocol/backup/receipt.ts";
import { withMesh } from "../harness.ts";
import { StoredSet } from "../stored-set.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const MIB = 1024 * 1024;

/** The shards in a holder's directory, by name. */
async function filesOf(site: TestSite): Promise<Map<string, string>> {
  const root = join(site.dataDirectory, "shards", "shards");
  const found = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) found.set(entry.name, join(entry.parentPath, entry.name));
  }
  return found;
}

test("one upload makes three signed copies; one more site than needed stays empty", () =>
  withMesh(async (mesh) => {
    const sites = await mesh.form(["quimper", "brest", "lorient", "vannes", "rennes"]);
    const [quimper] = sites;
    assert.ok(quimper);
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");
    const set = await StoredSet.create(quimper);
    await set.backUp([4 * MIB, 4 * MIB, 4 * MIB, 8192]);
    await set.untilSafe(60_000);

    const copies = await set.copies(true);
    assert.equal(copies.ownerSentBytes, set.bytes);
    assert.equal(copies.minReceipts, 3);
    for (const { shard, receipts } of copies.perShard ?? []) {
      const holders = receipts.map(({ bytes, signature }) => {
        const signed = {
          bytes: Buffer.from(bytes, "base64"),
          signature: Buffer.from(signature, "base64"),
        };
        const receipt = openReceipt(signed);
        assert.equal(receipt.id, shard);
        return receipt.holder;
      });
      assert.equal(new Set(holders).size, 3);
    }
    const others = await Promise.all(sites.slice(1).map(filesOf));
    assert.deepEqual(
      others.map(({ size }) => size).toSorted((a, b) => a - b),
      [0, 4, 4, 4],
    );
    for (const files of others) {
      for (const [shard, path] of files) {
        const wanted = set.shards.get(shard as never);
        assert.ok(wanted);
        assert.deepEqual(hash(await readFile(path)), hash(wanted));
      }
    }
    const { newestHead } = await waitFor("witnesses", 60_000, async () => {
      const detail = await set.detail();
      return detail.newestHead.confirmedBy === 4 && detail;
    });
    assert.equal(newestHead.witnesses, 4);
    assert.equal(newestHead.head?.number, 1);
  }));

test("two of three, until a third site joins; the owner's line carries nothing more", () =>
  withMesh(async (mesh) => {
    const [quimper, brest, lorient] = await mesh.form(["quimper", "brest", "lorient"]);
    assert.ok(quimper && brest && lorient);
    // A choice of holders that changes cuts what is under way, and a part of a range goes again.
    await quimper.pleach("wait", "--for", "mesh", "--timeout", "120s");
    const set = await StoredSet.create(quimper);
    await set.backUp([4 * MIB, 16_384]);
    await waitFor("two copies", 60_000, async () => (await set.copies()).minReceipts === 2);
    const { atRisk, reasons, safe } = await set.copies();
    assert.equal(safe, false);
    assert.equal(atRisk, "2 of 3");
    assert.match(reasons.join(" "), /1 more site/);

    const vannes = await mesh.site("vannes");
    await vannes.start();
    await mesh.join(quimper, vannes);
    await set.untilSafe(60_000);
    assert.equal((await set.copies()).ownerSentBytes, set.bytes);
  }));

test("kill -9 of everybody in turn: what was acknowledged is there, and becomes safe", () =>
  withMesh(async (mesh) => {
    const sites = await mesh.form(["quimper", "brest", "lorient", "vannes"]);
    const [quimper] = sites;
    assert.ok(quimper);
    const set = await StoredSet.create(quimper);
    await set.backUp([4 * MIB]);
    for (const site of [...sites.slice(1), quimper]) {
      await set.backUp([4 * MIB, 4 * MIB, 65_536]);
      await site.kill();
      await site.start();
    }
    await set.untilSafe(90_000);
    for (const [shard, bytes] of set.shards) {
      const path = `${set.path}/shards/${shard}`;
      assert.deepEqual(hash(await quimper.client.getOctets(path, 4 * MIB)), hash(bytes));
    }
    for (const site of sites.slice(1)) {
      const files = await filesOf(site);
      for (const shard of set.shards.keys()) assert.ok(files.has(shard), `${site.name} ${shard}`);
    }
  }));

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
