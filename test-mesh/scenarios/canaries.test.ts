/**
 * Nothing of what is backed up, and none of its keys, reaches a holder, the network or the daemon:
 * canaries in a tree are looked for wherever they could be seen, and the same search finds them
 * where nothing is sealed.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { capsuleSightings } from "../canary/keys.ts";
import { needlesOf, searchTree, type Canary } from "../canary/search.ts";
import { linesOf, traceFiles, tracing } from "../canary/trace.ts";
import { WatchedBackup } from "../canary/watched-backup.ts";
import { withMesh } from "../harness.ts";
import { asOtherUser, runAsOtherUser } from "../other-user.ts";
import { runProcess } from "../run-process.ts";

const NO_SEALING = new URL("../canary/no-sealing.ts", import.meta.url);
const NEEDS_ROOT = process.getuid?.() === 0 ? false : "needs root: daemons run as another user";

/** What of the canaries is below any of the folders, each by its name once. */
function seenIn(folders: readonly string[], canaries: readonly Canary[]): readonly string[] {
  const needles = needlesOf(canaries);
  const found = folders.flatMap((folder) => searchTree(folder, needles));
  return [...new Set(found.map(({ canary }) => canary))].toSorted();
}

function namesOf(canaries: readonly Canary[]): readonly string[] {
  return [...new Set(canaries.map(({ name }) => name))].toSorted();
}

/** The daemon knows the data set by its configuration, and never goes where that points to. */
async function assertOpensNothing(
  { owner, sourceFolder, setName }: WatchedBackup,
  calls: readonly string[],
) {
  const about = (folder: string) => (call: string) => call.includes(folder);
  const secret = [sourceFolder, owner.keysDirectory];
  for (const folder of secret) assert.deepEqual(calls.filter(about(folder)), []);
  assert.ok(calls.some(about(`conf.d/backup-${setName}.toml`)), "the trace shows what it reads");
  assert.ok(calls.some(about(join(owner.dataDirectory, "shards"))), "and what it stores");

  // A command does go there, and the same kind of trace shows it.
  const file = join(owner.directory, "command.trace");
  const [strace, ...words] = [...tracing(file), ...owner.commandLine("backup", "run", setName)];
  const traced = await runProcess(strace, words);
  assert.equal(traced.exit, 0, traced.stderr);
  const commandCalls = await linesOf(file);
  for (const folder of secret) assert.ok(commandCalls.some(about(folder)));
}

/** The user of the daemon may not, if it wanted to. */
async function assertCannotOpen({ owner, sourceFolder, setName, tree }: WatchedBackup) {
  const { keysDirectory, configFile } = owner;
  const keyFile = join(keysDirectory, "sets", `${setName}.json`);
  for (const [program, path] of [
    ["cat", keyFile],
    ["cat", join(keysDirectory, "owner.json")],
    ["cat", tree.textFile],
    ["ls", keysDirectory],
    ["ls", sourceFolder],
  ] as const) {
    const { exit, stderr } = await runAsOtherUser(program, [path]);
    assert.notEqual(exit, 0, path);
    assert.match(stderr, /Permission denied/);
  }
  assert.equal((await runAsOtherUser("cat", [configFile])).exit, 0);
}

test("no canary is at a holder, in the mesh, on the control socket", { skip: NEEDS_ROOT }, () =>
  withMesh(async (mesh) => {
    const site = asOtherUser(mesh.directory);
    const watched = await WatchedBackup.prepare(mesh, { site, preloads: [] });
    const { owner, tree, setName, setNameCanary } = watched;

    const trace = await traceFiles(owner.pid, join(mesh.directory, "daemon.trace"));
    process.kill(owner.pid, "SIGHUP");
    const restored = await watched.play();
    const calls = await trace.end();
    assert.equal(restored["files"], tree.files);

    await assertOpensNothing(watched, calls);
    await assertCannotOpen(watched);

    const keys = await watched.keys();
    const capsules = capsuleSightings(owner.keysDirectory, setName);
    const canaries = [...tree.contents, ...tree.names, ...tree.hashes, ...keys];
    const { holders, meshTap, socketTap, ownerDaemon } = await watched.end();
    for (const folders of holders) {
      assert.deepEqual(seenIn(folders, [...canaries, setNameCanary]), []);
    }
    assert.deepEqual(seenIn([meshTap], [...canaries, setNameCanary]), []);
    // Its configuration tells the daemon the name of the set.
    assert.deepEqual(seenIn([...socketTap, ...ownerDaemon], canaries), []);
    // The search does find what is there to be found. Over the socket shards only go to the daemon: a
    // restore by root reads them from the local store.
    for (const folders of [...holders, [meshTap], socketTap]) {
      assert.deepEqual(seenIn(folders, capsules), namesOf(capsules));
    }
    assert.deepEqual(
      seenIn([owner.keysDirectory], keys),
      namesOf(keys).filter((name) => /^K_(set|epoch)/.test(name)),
    );
  }),
);

test("the same search finds what a program that does not seal gives away", () =>
  withMesh(async (mesh) => {
    const watched = await WatchedBackup.prepare(mesh, { site: {}, preloads: [NO_SEALING] });
    const { tree, setNameCanary } = watched;
    assert.equal((await watched.play())["files"], tree.files);

    const told = [...tree.contents, ...tree.names];
    const { holders, meshTap, socketTap } = await watched.end();
    for (const folders of [...holders, [meshTap]]) {
      const withName = [...told, setNameCanary];
      assert.deepEqual(seenIn(folders, withName), namesOf(withName));
    }
    assert.deepEqual(seenIn(socketTap, told), namesOf(told));
  }));
