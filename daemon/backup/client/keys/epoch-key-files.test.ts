import assert from "node:assert/strict";
import {
  chmodSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import nacl from "tweetnacl";
import { openCapsule } from "../../../../protocol/backup/capsule.ts";
import { toHex, type OwnerId, type SetId } from "../../../../protocol/ids.ts";
import {
  createEpochKey,
  endErasures,
  eraseEpochKey,
  readEpochKeys,
  type EpochKey,
} from "./epoch-key-files.ts";

const owner = "22".repeat(32) as OwnerId;
const set = "33".repeat(16) as SetId;
const box = nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(9));
const setKey = new Uint8Array(32).fill(4);

let keys = "";
beforeEach(() => (keys = mkdtempSync(join(tmpdir(), "pleach-epochs-"))));
afterEach(() => rmSync(keys, { recursive: true, force: true }));

const make = (epoch: number): EpochKey =>
  createEpochKey(keys, { owner, set, epoch }, { setKey, box: box.publicKey }, epoch * 1000);
const folder = (): string => join(keys, "epochs", set);

describe("the keys of key epochs", () => {
  it("are read as they were made, oldest first, and are for their owner alone", () => {
    const made = [2, 10, 9].map(make).toSorted((a, b) => a.epoch - b.epoch);
    assert.deepEqual(readEpochKeys(keys, set), { here: made, erased: [] });
    assert.equal(statSync(join(folder(), "10.key")).mode & 0o777, 0o600);
    assert.throws(() => make(9), { code: "E-BACKUP-EXISTS" });
    chmodSync(join(folder(), "9.key"), 0o640);
    assert.throws(() => readEpochKeys(keys, set), { code: "E-BACKUP-KEYS" });
  });

  it("leave the capsule and nothing of the key when they are erased", () => {
    const made = make(1);
    const newer = make(2);
    // A second name shows what becomes of the blocks.
    linkSync(join(folder(), "1.key"), join(keys, "blocks"));
    eraseEpochKey(keys, set, made);
    const { here, erased } = readEpochKeys(keys, set);
    assert.deepEqual(here, [newer]);
    assert.deepEqual(readdirSync(folder()).toSorted(), ["1.capsule", "2.key"]);
    assert.ok(readFileSync(join(keys, "blocks")).every((byte) => byte === 0));
    const [{ capsule } = assert.fail()] = erased;
    const opened = openCapsule(box.secretKey, { owner, set, keyEpoch: 1, capsule });
    assert.deepEqual(opened, { setKey, epochKey: made.key });
  });

  it("are erased in full after a crash in the middle", () => {
    const made = make(1);
    const file = join(folder(), "1.key");
    const text = readFileSync(file);
    eraseEpochKey(keys, set, made);
    // As a crash leaves it: the capsule is there, the key not yet overwritten, or half so.
    for (const left of [text, Buffer.concat([Buffer.alloc(40), text.subarray(40)])]) {
      writeFileSync(file, left, { mode: 0o600 });
      assert.deepEqual(readEpochKeys(keys, set).here, []);
      assert.deepEqual(endErasures(keys, set), [1]);
      assert.deepEqual(readdirSync(folder()), ["1.capsule"]);
    }
  });

  it("keep a key that counts when a crash has left its first name beside it", () => {
    const made = make(1);
    linkSync(join(folder(), "1.key"), join(folder(), "1.key.77.tmp"));
    writeFileSync(join(folder(), "2.key.77.tmp"), "never finished", { mode: 0o600 });
    assert.deepEqual(endErasures(keys, set), []);
    assert.deepEqual(readEpochKeys(keys, set).here, [made]);
    assert.deepEqual(readdirSync(folder()), ["1.key"]);
  });

  it("are refused when a bit of them has flipped", () => {
    const made = make(1);
    const file = join(folder(), "1.key");
    const text = readFileSync(file, "utf8");
    const digit = toHex(made.key)[0] === "0" ? "1" : "0";
    writeFileSync(file, text.replace(toHex(made.key), `${digit}${toHex(made.key).slice(1)}`));
    assert.throws(() => readEpochKeys(keys, set), { code: "E-BACKUP-KEYS", message: /damaged/ });
  });
});
