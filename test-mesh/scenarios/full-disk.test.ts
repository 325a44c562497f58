/**
 * A disk that others have filled: the daemon goes on, says so, refuses edits, stops, and starts.
 *
 * The disk is a tmpfs in a mount namespace of the test's own (as root, or as root of a user
 * namespace), so the test starts itself once more in there.
 */
import assert from "node:assert/strict";
import { access, mkdir, rm, writeFile } from "node:fs/promises";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import { waitFor } from "../wait.ts";

const INSIDE = "PLEACH_TEST_NAMESPACE";
const MIB = 2 ** 20;
const DISK_MIB = 96;

if (process.env[INSIDE] === undefined) {
  test("a full disk", async () => {
    const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
    const here = fileURLToPath(import.meta.url);
    const { exit, stdout, stderr } = await runProcess(
      "unshare",
      [...asRoot, "--mount", process.execPath, here],
      { env: { [INSIDE]: "1" } },
    );
    assert.equal(exit, 0, `${stdout}${stderr}`);
  });
} else {
  test("serves status, refuses edits, stops, starts, and goes on when there is room", () =>
    withMesh(async (mesh) => {
      const source = join(mesh.directory, "source");
      await mkdir(source);
      await writeFile(join(source, "letter.txt"), "dear all");
      const toml = `[[backup]]\nname = "letters"\npaths = [${JSON.stringify(source)}]`;
      const site = await mesh.site("quimper", { toml });
      await mkdir(site.dataDirectory, { mode: 0o700 });
      const mounted = await runProcess("mount", [
        ...["-t", "tmpfs", "-o", `size=${DISK_MIB}m,mode=700`, "tmpfs", site.dataDirectory],
      ]);
      assert.equal(mounted.exit, 0, mounted.stderr);
      try {
        await site.start();
        await mesh.found(site);
        await site.pleach("service", "add", "wiki", "--address", "192.0.2.1");
        await site.pleach("backup", "add", "letters");

        const filler = join(site.dataDirectory, "others");
        await writeFile(filler, new Uint8Array(free(site.dataDirectory)));
        await waitFor("the verdict", 60_000, async () => {
          const { exit, stdout } = await site.run(["--json", "status"]);
          return exit === 1 && stdout.includes("writes are refused");
        });
        const refused = await site.refused("service", "add", "agenda", "--address", "192.0.2.2");
        assert.equal(refused.exit, 1);
        assert.equal(refused.error["code"], "E-NO-SPACE");
        assert.equal(refused.error["changed"], "Nothing was changed.");
        const unsaved = await site.refused("backup", "run", "letters");
        assert.equal(unsaved.exit, 1);
        assert.match(String(unsaved.error["code"]), /SPACE$/);
        assert.equal(await site.stop(), 0);

        // Opening the store takes room that is not there: the ballast gives it.
        const ballast = join(site.dataDirectory, "state", "ballast");
        await access(ballast);
        await site.start();
        await assert.rejects(access(ballast));
        assert.deepEqual(await names(site), ["wiki"]);
        const again = await site.refused("service", "add", "agenda", "--address", "192.0.2.2");
        assert.equal(again.error["code"], "E-NO-SPACE");
        assert.equal(await site.stop(), 0);

        await site.start();
        await rm(filler);
        await site.pleach("service", "add", "agenda", "--address", "192.0.2.2");
        assert.deepEqual(await names(site), ["agenda", "wiki"]);
        await site.pleach("backup", "run", "letters");
        assert.equal(await site.stop(), 0);
      } finally {
        // Lazily: after a failure the daemon still runs, and the reason must not be hidden by this.
        await runProcess("umount", ["--lazy", site.dataDirectory]);
      }
    }));
}

async function names(site: { pleach(...args: string[]): Promise<unknown> }): Promise<string[]> {
  const { services } = (await site.pleach("service", "list")) as {
    readonly services: readonly { readonly name: string }[];
  };
  return services.map(({ name }) => name);
}

/** Every byte that is left. */
function free(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  assert.ok(bavail * bsize < DISK_MIB * MIB);
  return bavail * bsize;
}
