/**
 * Disks that are full at each stage of a backup: keys, caches, local store, lists, restore target,
 * a holder's lists. What is wrong is said, nothing is lost, the rest goes on, and so does the work
 * when there is room, without a restart.
 *
 * The disks are tmpfs in a mount namespace of the test's own, as in full-disk.test.ts.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeTired } from "../../daemon/backup/client/seal/tired-shards.ts";
import type { ShardId } from "../../protocol/ids.ts";
import { withMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const INSIDE = "PLEACH_TEST_NAMESPACE";
const MIB = 2 ** 20;

if (process.env[INSIDE] === undefined) {
  test("full disks at each stage", async () => {
    const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
    const { exit, stdout, stderr } = await runProcess(
      "unshare",
      [...asRoot, "--mount", process.execPath, fileURLToPath(import.meta.url)],
      { env: { [INSIDE]: "1" }, timeoutMs: 400_000 },
    );
    assert.equal(exit, 0, `${stdout}${stderr}`);
  });
} else {
  test("the owner's keys, caches, store, lists and restore target", () =>
    withMesh(async (mesh) => {
      const source = join(mesh.directory, "source");
      await mkdir(source);
      for (let at = 0; at < 40; at++) await writeFile(join(source, `f${at}`), randomBytes(20_000));
      const toml = `[[backup]]\nname = "data"\npaths = [${JSON.stringify(source)}]`;
      const site = await mesh.site("quimper", { toml });
      await mkdir(site.dataDirectory, { mode: 0o700 });
      await onDisk(site.dataDirectory, "size=128m,mode=700", async () => {
        await site.start();
        await mesh.found(site);
        await site.pleach("service", "add", "wiki", "--address", "192.0.2.1");
        await fullKeys(site);
        await fullCaches(site, source);
        await fullStore(site, source, mesh.directory);
        await fullTarget(site, source, mesh.directory);
        assert.equal(await site.stop(), 0);
      });
    }));
  test("the lists of a holder", () =>
    withMesh(async (mesh) => {
      const source = join(mesh.directory, "source");
      await mkdir(source);
      await writeFile(join(source, "large"), randomBytes(5 * MIB));
      const toml = `[[backup]]\nname = "data"\npaths = [${JSON.stringify(source)}]`;
      const owner = await mesh.site("quimper", { toml });
      const holder = await mesh.site("brest");
      await mkdir(holder.dataDirectory, { mode: 0o700 });
      await onDisk(holder.dataDirectory, "size=160m,mode=700", async () => {
        await Promise.all([owner.start(), holder.start()]);
        await mesh.found(owner);
        await mesh.join(owner, holder);
        await owner.pleach("backup", "add", "data");
        await owner.pleach("backup", "run", "data", "--copies", "1");
        await untilSafe(owner);
        await fullHolder(owner, holder, source);
        assert.equal(await holder.stop(), 0);
      });
    }));
}

async function fullKeys(site: TestSite): Promise<void> {
  const folder = join(site.keysDirectory, "sets");
  await mkdir(folder, { mode: 0o700 });
  await onDisk(folder, "size=64k,mode=700", async () => {
    const filler = await fill(folder, 0);
    const { exit, error } = await site.refused("backup", "add", "data");
    assert.equal(exit, 1);
    assert.equal(error["code"], "E-BACKUP-KEYS");
    assert.match(String(error["message"]), /no space left/i);
    assert.deepEqual(await readdir(folder), ["others"]);
    await rm(filler);
  });
  await site.pleach("backup", "add", "data");
}

/** Only caches: a run does without them, and says so. */
async function fullCaches(site: TestSite, source: string): Promise<void> {
  const folder = join(site.keysDirectory, "cache");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await onDisk(folder, "size=64k,mode=700", async () => {
    const filler = await fill(folder, 0);
    for (const number of [1, 2]) {
      const { exit, stdout, stderr } = await site.run(["backup", "run", "data", "--copies", "1"]);
      assert.equal(exit, 0, stderr);
      assert.match(stdout, new RegExp(`Snapshot ${number} of data`));
      assert.match(stderr, /cache.*no space left/i);
    }
    // What forgetting writes down, on the device that is always full.
    await symlink("/dev/full", join(folder, "tired.tmp"));
    const shard = "11".repeat(32) as ShardId;
    assert.throws(() => writeTired(folder, [shard]), { code: "E-BACKUP-SPACE" });
    assert.deepEqual((await readdir(folder)).includes("tired.tmp"), false);
    await rm(filler);
    await site.pleach("backup", "run", "data", "--copies", "1");
    const { readFiles } = await site.pleach("backup", "run", "data", "--copies", "1");
    assert.equal(readFiles, 0, "the caches are used again");
  });
  await writeFile(join(source, "later"), "later");
}

async function fullStore(site: TestSite, source: string, directory: string): Promise<void> {
  await site.pleach("backup", "run", "data", "--copies", "1");
  await writeFile(join(source, "large"), randomBytes(9 * MIB));
  // Less than two shards beside what the store never takes; then less than the state needs.
  for (const leftBytes of [68 * MIB, 12 * MIB]) {
    const filler = await fill(site.dataDirectory, leftBytes);
    const { exit, error } = await site.refused("backup", "run", "data", "--copies", "1");
    assert.equal(exit, 1);
    assert.match(String(error["code"]), /SPACE$/);
    assert.match(String(error["changed"]), /last snapshot|nothing was changed/i);
    assert.ok(error["hint"] !== null);
    assert.deepEqual(await readdir(join(site.dataDirectory, "shards", "incoming")), []);
    const target = join(directory, `restored-${leftBytes}`);
    await site.pleach("restore", "data", "--to", target);
    const words = ["service", "add", `at-${leftBytes}`, "--address", "192.0.2.2"];
    if (leftBytes > 24 * MIB) await site.pleach(...words);
    else assert.equal((await site.refused(...words)).error["code"], "E-NO-SPACE");
    assert.match(JSON.stringify(await site.pleach("service", "list")), /wiki/);
    await rm(filler);
  }
  await waitFor("room", 60_000, async () => {
    return (await site.run(["backup", "run", "data", "--copies", "1"])).exit === 0;
  });
}

/** Names that run out in the middle, since room for the content is looked for at the beginning. */
async function fullTarget(site: TestSite, source: string, directory: string): Promise<void> {
  const target = join(directory, "target");
  await mkdir(target, { mode: 0o700 });
  await onDisk(target, "size=64m,nr_inodes=25,mode=700", async () => {
    const { exit, error } = await site.refused("restore", "data", "--to", target);
    assert.equal(exit, 1);
    assert.equal(error["code"], "E-RESTORE-SPACE");
    assert.match(String(error["changed"]), /stays in the target/);
    const { exit: remounted } = await runProcess("mount", ["-o", "remount,nr_inodes=500", target]);
    assert.equal(remounted, 0);
    await site.pleach("restore", "data", "--to", target);
    const diff = await runProcess("diff", ["-r", source, join(target, source)]);
    assert.equal(diff.exit, 0, diff.stdout);
    assert.deepEqual(await readdir(target), [source.split("/")[1]]);
  });
}

async function fullHolder(owner: TestSite, holder: TestSite, source: string): Promise<void> {
  const before = await filesOf(holder);
  const filler = await fill(holder.dataDirectory, 12 * MIB);
  await writeFile(join(source, "large"), "small now");
  await owner.pleach("backup", "run", "data", "--copies", "1");
  await waitFor("the refusal", 60_000, async () => (await refusals(owner)) > 0);
  // A list without a new shard is refused by the state, whose room is another.
  await owner.pleach("--yes", "backup", "forget", "data", "--within", "0s");
  await waitFor("the refusal of a list", 60_000, async () => (await refusals(owner)) > 1);
  // At 1, 3, 7 s and so on for each list, not with each look at all sets.
  await sleep(6000);
  assert.ok((await refusals(owner)) < 12, `asked ${await refusals(owner)} times`);
  assert.deepEqual(await filesOf(holder), before);
  await owner.pleach("service", "add", "wiki", "--address", "192.0.2.1");
  assert.equal((await holder.run(["--json", "service", "list"])).exit, 0);

  await rm(filler);
  await untilSafe(owner);
  // Without it the holder asks by itself, within two minutes.
  await owner.pleach("service", "add", "agenda", "--address", "192.0.2.2");
  await waitFor("the state goes on", 60_000, async () => {
    const services = JSON.stringify(await holder.pleach("service", "list"));
    return services.includes("wiki") && services.includes("agenda");
  });
  const after = await filesOf(holder);
  for (const name of before) assert.ok(after.includes(name), "evicted");
}

async function refusals(owner: TestSite): Promise<number> {
  const log = await readFile(owner.logFile, "utf8");
  return log.match(/did not take a list.*why=space/g)?.length ?? 0;
}

async function untilSafe(owner: TestSite): Promise<void> {
  await owner.pleach("wait", "--for", "copies", "--timeout", "120s");
}

async function filesOf(site: TestSite): Promise<string[]> {
  const root = join(site.dataDirectory, "shards", "shards");
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map(({ name }) => name);
}

/** Takes all room of a disk but so much. @returns The file that takes it. */
async function fill(folder: string, leftBytes: number): Promise<string> {
  const { bavail, bsize } = statfsSync(folder);
  const path = join(folder, "others");
  await writeFile(path, new Uint8Array(Math.max(0, bavail * bsize - leftBytes)));
  return path;
}

async function onDisk(folder: string, options: string, act: () => Promise<void>): Promise<void> {
  const mounted = await runProcess("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);
  assert.equal(mounted.exit, 0, mounted.stderr);
  try {
    await act();
  } finally {
    // Also when a daemon still runs from it: its error is the one to be seen.
    await runProcess("umount", ["--lazy", folder]);
  }
}
