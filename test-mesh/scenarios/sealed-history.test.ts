/**
 * A data set with `history = "sealed"` on real daemons: an image of the box's disk opens nothing
 * older than the current key epoch, the phrase opens all, and no crash loses a key too early or
 * leaves one for ever.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readEpochKeys, type EpochKey } from "../../daemon/backup/client/keys/epoch-key-files.ts";
import { readSetKeys } from "../../daemon/backup/client/keys/set-key-file.ts";
import { aboutShape } from "../../daemon/control/shapes.ts";
import { copiesShape } from "../../daemon/control/shapes-backup.ts";
import { peerIdOf } from "../../daemon/mesh/peer-id.ts";
import { fromHex, type SetId, type SiteId } from "../../protocol/ids.ts";
import { OpenedShard } from "../../protocol/backup/sealed-shard.ts";
import { parseShardHeader } from "../../protocol/backup/shard.ts";
import { needlesOf, searchTree, type Canary } from "../canary/search.ts";
import { phraseFile } from "../form.ts";
import { TestMesh } from "../harness.ts";
import { runProcess } from "../run-process.ts";
import type { Json, TestSite } from "../test-site.ts";
import { waitFor } from "../wait.ts";

const NAMES = ["early-ledger", "later-ledger", "last-ledger"];
/** System calls at which a command that rotates and erases keys is killed, by name and count. */
const KILLS = [
  ["linkat,link", 1], // the new key has its name, and its first one beside it
  ["linkat,link", 2], // the capsule stands alone: the old key counts as erased, and is there
  ["fdatasync", 1], // the old key is overwritten
] as const;

let mesh: TestMesh;
let box: TestSite;
let holder: TestSite;
let set: SetId;
const at = (...steps: string[]): string => join(mesh.directory, ...steps);
const source = (): string => at("source");
const contents = new Map<string, Buffer>();
/** All keys of epochs that there ever were. */
const past = new Map<number, EpochKey>();

before(async () => {
  mesh = await TestMesh.create();
  const [first, second] = await mesh.form(["quimper", "brest"], { dns: false });
  assert.ok(first && second);
  [box, holder] = [first, second];
  mkdirSync(source());
});
after(() => mesh.close());

const keysNow = () => readEpochKeys(box.keysDirectory, set);
const numbersHere = (): number[] => keysNow().here.map(({ epoch }) => epoch);

function remember(): void {
  for (const key of keysNow().here) past.set(key.epoch, key);
}

/** Each file is there in one snapshot only. */
async function runWith(name: string): Promise<Json> {
  for (const old of readdirSync(source())) rmSync(join(source(), old));
  const bytes = Buffer.concat([Buffer.from(`words of ${name}\n`), randomBytes(50_000)]);
  contents.set(name, bytes);
  writeFileSync(join(source(), name), bytes);
  return box.pleach("backup", "run", "books", "--copies", "1");
}

async function safe(): Promise<void> {
  await waitFor("the copy", 60_000, async () => {
    const copies = await box.client.get(`/v1/backup/sets/${set}/copies`, copiesShape);
    if (!copies.safe) throw new Error(JSON.stringify(copies));
    return true;
  });
}

const phrase = (): string => phraseFile(mesh.directory, "quimper");

function assertRestored(to: string, name: string): void {
  assert.deepEqual(readFileSync(join(to, source(), name)), contents.get(name));
}

describe("a box that cannot read its own past", { concurrency: false }, () => {
  it("keeps the key of an epoch while nobody has signed for it", async () => {
    const added = await box.pleach(
      ...["backup", "add", "books", "--path", source()],
      ...["--history", "sealed", "--epoch", "run"],
    );
    set = added["set"] as SetId;
    await holder.kill();
    remember();
    const [first = ""] = NAMES;
    await runWith(first);
    assert.deepEqual(numbersHere(), [1, 2]);
    await box.pleach("backup", "run", "books", "--if-due");
    assert.deepEqual(numbersHere(), [1, 2]);
    assert.deepEqual((await box.pleach("backup", "show", "books"))["keys"], {
      ...{ history: "sealed", epoch: "run", current: 2, here: [1, 2], erased: [] },
      sinceMs: keysNow().here.at(-1)?.sinceMs,
    });
    // Without an epoch of its own at hand a box restores as ever.
    await box.pleach("restore", "books", "--to", at("at-once"));
    assertRestored(at("at-once"), first);
    rmSync(at("at-once"), { recursive: true });
  });

  it("erases it once there is a receipt, whether a run is due or not", async () => {
    remember();
    await holder.start();
    await safe();
    const looked = await box.pleach("backup", "run", "books", "--if-due");
    assert.equal(looked["due"], false);
    assert.deepEqual(looked["erasedEpochs"], [1]);
    assert.deepEqual(numbersHere(), [2]);
    for (const name of NAMES.slice(1)) {
      remember();
      await runWith(name);
      remember();
      await safe();
      await box.pleach("backup", "run", "books", "--if-due");
    }
    assert.deepEqual(numbersHere(), [4]);
    const { snapshots } = await box.pleach("backup", "show", "books");
    assert.equal((snapshots as Json[]).length, NAMES.length);
  });

  it("shows a thief of its disk no file, no name and no key of the past", () => {
    const image = at("image");
    cpSync(box.directory, image, { recursive: true, filter: (path) => !path.endsWith("socket") });
    const { setKey } = readSetKeys(join(image, "keys"), "books");
    // Whatever looks like a key in any file of root, not just what this version calls one.
    const text = filesBelow(join(image, "keys"))
      .map((file) => readFileSync(file, "latin1"))
      .join("\n");
    const found = new Set(text.match(/[0-9a-f]{64}/g) ?? []);
    assert.ok(found.size >= 3);
    const shards = filesBelow(join(image, "data", "shards"))
      .map((file) => readFileSync(file))
      .filter((bytes) => bytes.subarray(0, 8).equals(Buffer.from("PLEACHSH")));
    const epochs = new Set(shards.map((bytes) => parseShardHeader(bytes).keyEpoch));
    assert.deepEqual(epochs, new Set([1, 2, 3]));
    let tried = 0;
    for (const bytes of shards) {
      for (const key of [...found].map(fromHex)) {
        const opened = new OpenedShard(bytes, { setKey, epochKey: key });
        opened.frames.forEach(({ kind }, frame) => {
          if (kind !== "data" && kind !== "tree") return;
          tried += 1;
          assert.throws(() => opened.frame(frame), { code: "E-SHARD-SEAL" });
        });
      }
    }
    assert.ok(tried >= 3 * found.size);
    const canaries = [...past.values()].flatMap(({ epoch, key }): Canary[] =>
      epoch === 4 ? [] : [{ name: `K_epoch ${epoch}`, bytes: key }],
    );
    for (const name of NAMES.slice(0, -1)) {
      canaries.push({ name: `the name ${name}`, bytes: Buffer.from(name) });
      const words = contents.get(name)?.subarray(0, 40) ?? assert.fail();
      canaries.push({ name: `the words in ${name}`, bytes: words });
    }
    assert.equal(canaries.length, 3 + 2 * (NAMES.length - 1));
    assert.deepEqual(searchTree(image, needlesOf(canaries)), []);
    // The search does find what is there: the names of now, and the key of the epoch to come.
    const [current = assert.fail()] = keysNow().here;
    const control = [
      { name: "name", bytes: Buffer.from(NAMES.at(-1) ?? "") },
      { name: "key", bytes: current.key },
    ];
    const seen = searchTree(image, needlesOf(control)).map(({ canary }) => canary);
    assert.deepEqual(new Set(seen), new Set(["name", "key"]));
  });

  it("says which keys a restore lacks, and changes nothing", async () => {
    const to = at("refused");
    const { exit, error } = await box.refused("restore", "books", "--at", "1", "--to", to);
    assert.deepEqual([exit, error["code"]], [5, "E-BACKUP-EPOCH"]);
    assert.match(String(error["message"]), /: 1\.$/);
    assert.match(String(error["hint"]), /pleach keys open books --at 1 --out/);
    assert.equal(existsSync(to), false);
  });

  it("restores with the keys that the phrase opens, of one snapshot and no more", async () => {
    const file = at("job.keys");
    const open = ["keys", "open", "books", "--at", "2", "--phrase-file", phrase(), "--out", file];
    const opened = await box.pleach(...open);
    assert.deepEqual(opened["epochs"], [2]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal((await box.refused(...open)).error["code"], "E-BACKUP-EXISTS");
    const restore = ["restore", "books", "--keys", file];
    await box.pleach(...restore, "--at", "2", "--to", at("second"));
    assertRestored(at("second"), NAMES[1] ?? "");
    const other = await box.refused(...restore, "--at", "1", "--to", at("first"));
    assert.equal(other.error["code"], "E-BACKUP-EPOCH");
    // A box that has lost the keys of the set, too: the phrase has them, and the file.
    const setFile = join(box.keysDirectory, "sets", "books.json");
    renameSync(setFile, at("books.json"));
    const lost = ["--at", "1", "--phrase-file", phrase(), "--out", at("lost.keys")];
    await box.pleach("keys", "open", "books", ...lost);
    const all = ["restore", "books", "--keys", at("lost.keys"), "--at", "1"];
    await box.pleach(...all, "--to", at("lost"));
    assertRestored(at("lost"), NAMES[0] ?? "");
    renameSync(at("books.json"), setFile);
    chmodSync(file, 0o644);
    const read = await box.refused(...restore, "--at", "2", "--to", at("third"));
    assert.equal(read.error["code"], "E-BACKUP-KEYS");
    const wrong = ["--phrase-file", phraseFile(mesh.directory, "brest"), "--out", at("wrong.keys")];
    const foreign = await box.refused("keys", "open", "books", ...wrong);
    assert.equal(foreign.error["code"], "E-BACKUP-KEYS");
    assert.equal(existsSync(at("wrong.keys")), false);
  });

  it("opens on a machine without a daemon what it is brought, and restores each snapshot", async () => {
    for (const [index, name] of NAMES.entries()) {
      const number = String(index + 1);
      const capsules = at(`capsules-${number}`);
      await box.pleach("keys", "capsules", "books", "--at", number, "--out", capsules);
      const keys = at(`keys-${number}`);
      // A configuration that is not there: nothing of this machine is asked.
      const [node, ...line] = box.commandLine();
      const words = line.map((word) => (word === box.configFile ? at("nowhere.toml") : word));
      const open = ["keys", "open", "--capsules", capsules, "--out", keys];
      const done = await runProcess(node, [...words, ...open, "--phrase-file", phrase()]);
      assert.equal(done.exit, 0, done.stderr);
      const to = at(`restored-${number}`);
      await box.pleach("restore", "books", "--at", number, "--keys", keys, "--to", to);
      assertRestored(to, name);
    }
  });

  it("neither loses a key nor keeps one for ever when it is killed on the way", async () => {
    for (const [call, count] of KILLS) {
      const name = `killed at ${call} ${count}`;
      await runWith(name);
      remember();
      await safe();
      const sealed = Math.max(...numbersHere()) - 1;
      const inject = `inject=${call}:signal=KILL:when=${count}`;
      const tracing = ["-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
      const killed = await runProcess("strace", [
        ...tracing,
        ...box.commandLine("keys", "rotate", "books"),
      ]);
      assert.notEqual(killed.exit, 0, `${name}: ${killed.stdout}${killed.stderr}`);
      const { here, erased } = keysNow();
      const known = [...here, ...erased].map(({ epoch }) => epoch);
      assert.ok(known.includes(sealed), `${name}: ${known.join()}`);
      const looked = await box.pleach("backup", "run", "books", "--if-due");
      assert.equal(looked["due"], false);
      assert.equal(numbersHere().length, 1, name);
      const left = readdirSync(join(box.keysDirectory, "epochs", set));
      assert.deepEqual(left.filter((file) => file.endsWith(".key")).length, 1, left.join());
      assert.deepEqual(
        left.filter((file) => file.endsWith(".tmp")),
        [],
      );
      const canaries = [...past.values()].flatMap(({ epoch, key }) =>
        numbersHere().includes(epoch) ? [] : [{ name: `K_epoch ${epoch}`, bytes: key }],
      );
      assert.deepEqual(searchTree(box.directory, needlesOf(canaries)), [], name);
      const file = at(`job-${call}-${count}`);
      await box.pleach(...["keys", "open", "books", "--phrase-file", phrase(), "--out", file]);
      await box.pleach("restore", "books", "--keys", file, "--to", at(name));
      assertRestored(at(name), name);
    }
  });

  it("comes back on an empty box with the phrase and one holder", async () => {
    await box.kill();
    const empty = await mesh.site("empty", { dns: false });
    await empty.start();
    const { siteId } = await holder.client.get("/v1/about", aboutShape);
    const peer = peerIdOf(siteId as SiteId).toString();
    const member = `/ip4/${holder.address}/tcp/${holder.meshPort}/p2p/${peer}`;
    const recover = ["recover", "--sheet", phrase(), "--member", member, "--to", at("recovered")];
    const { sets } = (await empty.pleach(...recover)) as { sets: { into: string }[] };
    assert.equal(sets.length, 1);
    const name = [...contents.keys()].at(-1) ?? "";
    assertRestored(sets[0]?.into ?? "", name);
  });
});

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
