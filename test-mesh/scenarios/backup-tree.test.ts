/**
 * A directory with one of everything, backed up and restored by the commands, over a socket that
 * is listened to.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readEpochKeys } from "../../daemon/backup/client/keys/epoch-key-files.ts";
import { dataRanges, readXattrs } from "../../daemon/backup/client/system-calls.ts";
import { idBytes, sha256, type SetId } from "../../protocol/ids.ts";
import { compareTrees } from "../../scripts/trial/tree-compare.ts";
import { needlesOf, searchTree } from "../canary/search.ts";
import { tapSocket } from "../canary/socket-tap.ts";
import { TestMesh } from "../harness.ts";
import { CANARIES, makeRichTree, type RichTree } from "../rich-tree.ts";
import { runProcess } from "../run-process.ts";
import type { Json, TestSite } from "../test-site.ts";

const PROGRAM = new URL("../../daemon/pleach.ts", import.meta.url).pathname;
const AS_ROOT = process.getuid?.() === 0;

let mesh: TestMesh;
let site: TestSite;
let tap: Server;
let tree: RichTree;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);

before(async () => {
  mesh = await TestMesh.create();
  [site = assert.fail()] = await mesh.form(["quimper"], { dns: false });
  tap = await tapSocket(at("tap"), site.client.socketPath, at("heard"));
  const config = readFileSync(site.configFile, "utf8").replace(site.client.socketPath, at("tap"));
  mkdirSync(at("client"));
  writeFileSync(at("client", "pleach.toml"), config);
  tree = makeRichTree(at("source"));
});
after(async () => {
  tap.close();
  await mesh.close();
});

/** Runs a command through the tap. @param wrap - A program that starts it. */
async function pleach(args: readonly string[], wrap: readonly string[] = []) {
  const line = [
    ...wrap,
    ...[process.execPath, "--disable-warning=ExperimentalWarning", PROGRAM],
    ...["--json", "--config", at("client", "pleach.toml"), ...args],
  ];
  const [program = "", ...rest] = line;
  const { exit, stdout, stderr } = await runProcess(program, rest);
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  assert.notEqual(last, "", stderr);
  return { exit, json: JSON.parse(last) as Json, stderr };
}

const errorOf = (json: Json): Json => (json["error"] ?? {}) as Json;
const compare = (restored: string) =>
  compareTrees(at("source"), restored, {
    xattrs: (path) => new Map(readXattrs(path).map(([name, value]) => [name.toString(), value])),
    dataRanges: (fd, sizeBytes) => JSON.stringify(dataRanges(fd, sizeBytes)),
  });

describe("a data set with one of everything", { concurrency: false }, () => {
  it("comes back as it was", async () => {
    const added = await pleach(["backup", "add", "rich", "--path", at("source")]);
    assert.equal(added.exit, 0, JSON.stringify(added.json));
    const run = await pleach(["backup", "run", "rich"]);
    assert.equal(run.exit, AS_ROOT ? 0 : 3, JSON.stringify(run.json));
    assert.equal(run.json["files"], tree.files - (AS_ROOT ? 0 : 1));
    const restored = await pleach(["restore", "rich", "--to", at("first")]);
    assert.equal(restored.exit, 0, JSON.stringify(restored.json));
    assert.deepEqual(restored.json["paths"], [
      { path: at("source"), at: at("first", at("source")) },
    ]);
    const { identical, differences, files } = await compare(at("first", at("source")));
    if (AS_ROOT) assert.ok(identical, differences.join("\n"));
    assert.equal(files, tree.files);
    assert.ok(lstatSync(at("first", at("source"), "pipe")).isFIFO());
  });

  it("is read only where it changed", async () => {
    const again = await pleach(["backup", "run", "rich"]);
    assert.equal(again.json["readFiles"], AS_ROOT ? 0 : 1);
    assert.ok(Number(again.json["newBytes"]) <= 16 * 1024, JSON.stringify(again.json));
    writeFileSync(at("source", "many", "f7"), "seven\n");
    const changed = await pleach(["backup", "run", "rich"]);
    assert.equal(changed.json["readFiles"], AS_ROOT ? 1 : 2);
    assert.ok(Number(changed.json["newBytes"]) <= 64 * 1024, JSON.stringify(changed.json));
  });

  it("has a past", async () => {
    const shown = await pleach(["backup", "show", "rich"]);
    const numbers = (shown.json["snapshots"] as Json[]).map(({ number }) => number);
    assert.deepEqual(numbers, [3, 2, 1]);
    const old = await pleach(["restore", "rich", "--at", "1", "--to", at("old")]);
    assert.equal(readFileSync(at("old", at("source"), "many", "f7"), "utf8"), "7\n");
    assert.equal(old.json["number"], 1);
    const now = await pleach(["restore", "rich", "--to", at("now")]);
    assert.equal(readFileSync(at("now", at("source"), "many", "f7"), "utf8"), "seven\n");
    assert.equal(now.json["number"], 3);
    const none = await pleach(["restore", "rich", "--at", "9", "--to", at("none")]);
    assert.deepEqual([none.exit, errorOf(none.json)["code"]], [2, "E-RESTORE-SNAPSHOT"]);
  });

  it("goes on without its caches, and stores nothing twice", async () => {
    const cache = at("quimper", "keys", "cache");
    assert.notEqual(readdirSync(cache).length, 0);
    spawnSync("rm", ["-r", cache]);
    const run = await pleach(["backup", "run", "rich"]);
    assert.equal(run.exit, AS_ROOT ? 0 : 3);
    assert.equal(run.json["readFiles"], tree.files - 2);
    assert.ok(Number(run.json["newBytes"]) <= 64 * 1024, JSON.stringify(run.json));
  });

  it("shows nothing of itself on the socket", () => {
    const keys = JSON.parse(readFileSync(at("quimper", "keys", "sets", "rich.json"), "utf8")) as {
      readonly setKey: string;
      readonly set: string;
    };
    const [epoch] = readEpochKeys(at("quimper", "keys"), keys.set as SetId).here;
    assert.ok(epoch);
    const bytes = (text: string): Uint8Array => Buffer.from(text);
    const needles = needlesOf([
      ...Object.entries(CANARIES).map(([name, text]) => ({ name, bytes: bytes(text) })),
      { name: "hash", bytes: sha256(CANARIES.content) },
      { name: "set key", bytes: idBytes(keys.setKey as never) },
      { name: "epoch key", bytes: epoch.key },
      { name: "large", bytes: readFileSync(at("source", "large")).subarray(5_000_000, 5_000_032) },
    ]);
    assert.deepEqual(searchTree(at("heard"), needles), []);
    // The tap did hear: shards begin with this.
    const header = needlesOf([{ name: "header", bytes: bytes("PLEACHSH") }]);
    assert.notDeepEqual(searchTree(at("heard"), header), []);
    // And the search does find them where they are.
    mkdirSync(at("plain"));
    cpSync(at("source", "words"), at("plain", CANARIES.fileName));
    assert.equal(searchTree(at("plain"), needles).length, 2);
  });

  it("names what could not be read, and has all the rest", async () => {
    // Root without its power to read everything.
    const wrap = AS_ROOT ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] : [];
    chmodSync(at("source", "words"), 0o000);
    const run = await pleach(["backup", "run", "rich"], wrap);
    assert.equal(run.exit, 3, JSON.stringify(run.json));
    const unreadable = run.json["unreadable"] as Json[];
    const paths = unreadable.map(({ path }) => path);
    assert.ok(paths.includes(at("source", "words")), paths.join());
    assert.ok(unreadable.every(({ reason }) => reason === "EACCES"));
    const { exit } = await pleach(["restore", "rich", "--to", at("partly")]);
    assert.equal(exit, 0);
    assert.deepEqual(readdirSync(at("partly", at("source"))).includes("words"), false);
    assert.equal(readdirSync(at("partly", at("source"), "many")).length, 301);
  });

  it("brings device nodes and set-id bits back only when asked", { skip: !AS_ROOT }, async () => {
    spawnSync("mknod", [at("source", "null"), "c", "1", "3"]);
    writeFileSync(at("source", "sudo"), "power");
    chmodSync(at("source", "sudo"), 0o4755);
    await pleach(["backup", "run", "rich"]);
    const careful = await pleach(["restore", "rich", "--to", at("careful")]);
    assert.equal(careful.exit, 3);
    assert.equal((careful.json["problems"] as Json[]).length, 2);
    assert.equal(lstatSync(at("careful", at("source"), "sudo")).mode & 0o7777, 0o755);
    assert.throws(() => lstatSync(at("careful", at("source"), "null")), { code: "ENOENT" });
    const asked = await pleach(["restore", "rich", "--privileged", "--to", at("asked")]);
    assert.equal(asked.exit, 0, JSON.stringify(asked.json));
    const { identical, differences } = await compare(at("asked", at("source")));
    assert.ok(identical, differences.join("\n"));
    assert.ok(lstatSync(at("asked", at("source"), "null")).isCharacterDevice());
  });

  it("refuses what makes no sense, and changes nothing", async () => {
    const cases: readonly (readonly [readonly string[], number, string])[] = [
      [["restore", "rich", "--to", at("first")], 1, "E-RESTORE-TARGET"],
      [["restore", "nothing", "--to", at("x")], 1, "E-BACKUP-KEYS"],
      [["backup", "run", "nothing"], 2, "E-BACKUP-UNKNOWN"],
      [["backup", "add", "rich", "--path", at("source")], 2, "E-BACKUP-EXISTS"],
      [["backup", "add", "other", "--path", at("not-there")], 2, "E-BACKUP-PATH"],
      [["backup", "add", "No Name", "--path", at("source")], 2, "E-CONFIG-VALUE"],
    ];
    for (const [args, exit, code] of cases) {
      const { exit: ended, json } = await pleach(args);
      assert.deepEqual([errorOf(json)["code"], ended], [code, exit], args.join(" "));
    }
    assert.deepEqual(readdirSync(at("client", "conf.d")), ["backup-rich.toml"]);
    const keyFile = at("quimper", "keys", "sets", "rich.json");
    chmodSync(keyFile, 0o640);
    const { json } = await pleach(["backup", "run", "rich"]);
    assert.equal(errorOf(json)["code"], "E-BACKUP-KEYS");
    chmodSync(keyFile, 0o600);
  });
});
