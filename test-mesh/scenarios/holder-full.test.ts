/**
 * The disk of a holder fills up while it takes shards in: it says so, drops nothing, goes on with
 * everything else, and takes the rest when there is room.
 *
 * The disk is a tmpfs in a mount namespace of the test's own, as in full-disk.test.ts.
 */
import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import { StoredSet } from "../stored-set.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const INSIDE = "PLEACH_TEST_NAMESPACE";
const MIB = 2 ** 20;
const DISK_MIB = 192;

if (process.env[INSIDE] === undefined) {
  test("the disk of a holder fills up", async () => {
    const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
    const { exit, stdout, stderr } = await runProcess(
      "unshare",
      [...asRoot, "--mount", process.execPath, fileURLToPath(import.meta.url)],
      { env: { [INSIDE]: "1" } },
    );
    assert.equal(exit, 0, `${stdout}${stderr}`);
  });
} else {
  test("it drops nothing, and takes the rest when there is room", () =>
    withMesh(async (mesh) => {
      const quimper = await mesh.site("quimper");
      await quimper.start();
      await mesh.found(quimper);
      const brest = await mesh.site("brest");
      await mkdir(brest.dataDirectory, { mode: 0o700 });
      const mounted = await runProcess("mount", [
        ...["-t", "tmpfs", "-o", `size=${DISK_MIB}m,mode=700`, "tmpfs", brest.dataDirectory],
      ]);
      assert.equal(mounted.exit, 0, mounted.stderr);
      try {
        await brest.start();
        await mesh.join(quimper, brest);

        const set = await StoredSet.create(quimper);
        await set.backUp([4 * MIB, 4 * MIB]);
        await waitFor("the first copy", 60_000, async () => (await filesOf(brest)) === 2);

        // Less than a shard is left beside what the store never takes.
        const filler = join(brest.dataDirectory, "others");
        const { bavail, bsize } = statfsSync(brest.dataDirectory);
        await writeFile(filler, new Uint8Array(bavail * bsize - 66 * MIB));
        await set.backUp([4 * MIB, 4 * MIB]);
        await waitFor("the refusal", 60_000, async () => {
          const { atRisk } = await set.copies();
          return atRisk === "0 of 3";
        });
        assert.equal(await filesOf(brest), 2);
        await quimper.pleach("service", "add", "wiki", "--address", "192.0.2.1");
        await waitFor("the state goes on", 60_000, async () => {
          return JSON.stringify(await brest.pleach("service", "list")).includes("wiki");
        });

        await rm(filler);
        await waitFor("the rest", 60_000, async () => (await filesOf(brest)) === 4);
        assert.equal(await brest.stop(), 0);
      } finally {
        // Lazily: after a failure the daemon still runs, and the reason must not be hidden by this.
        await runProcess("umount", ["--lazy", brest.dataDirectory]);
      }
    }));
}

async function filesOf(site: TestSite): Promise<number> {
  const root = join(site.dataDirectory, "shards", "shards");
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).length;
}
