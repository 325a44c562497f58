import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { sealCapsule } from "../../../../protocol/backup/capsule.ts";
import { toHex, type SetId, type ShardId } from "../../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../../protocol/keys/owner-keys.ts";
import {
  openCapsules,
  parseCapsules,
  readJobKeys,
  writeCapsules,
  writeJobKeys,
  type JobCapsules,
} from "./job-keys.ts";

const owner = deriveOwnerKeys(new Uint8Array(32).fill(7));
const other = deriveOwnerKeys(new Uint8Array(32).fill(8));
const set = "33".repeat(16) as SetId;
const setKey = new Uint8Array(32).fill(4);
const keyOf = (epoch: number): Uint8Array => new Uint8Array(32).fill(100 + epoch);

const job: JobCapsules = {
  owner: owner.ownerId,
  set,
  name: "books",
  snapshot: { root: "44".repeat(32) as ShardId, number: 3, atMs: 5 },
  capsules: [1, 2].map((epoch) => ({
    epoch,
    capsule: sealCapsule(
      owner.box.publicKey,
      { owner: owner.ownerId, set, keyEpoch: epoch },
      { setKey, epochKey: keyOf(epoch) },
      new Uint8Array(56).fill(epoch),
    ),
  })),
};

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "pleach-job-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the keys of one restore", () => {
  it("come from the capsules that were brought, and are read as they were written", () => {
    const capsules = join(folder, "capsules");
    writeCapsules(capsules, job);
    const text = readFileSync(capsules, "utf8");
    for (const key of [setKey, keyOf(1), keyOf(2)]) assert.ok(!text.includes(toHex(key)));
    const opened = openCapsules(parseCapsules(capsules, text), owner.box.secretKey);
    assert.deepEqual(
      [...opened.epochs],
      [
        [1, keyOf(1)],
        [2, keyOf(2)],
      ],
    );
    const file = join(folder, "keys");
    writeJobKeys(file, opened);
    assert.deepEqual(readJobKeys(file), opened);
    assert.throws(() => writeJobKeys(file, opened), { code: "E-BACKUP-EXISTS" });
  });

  it("do not come from another phrase, nor from capsules of another set or epoch", () => {
    assert.throws(() => openCapsules(job, other.box.secretKey), { code: "E-BACKUP-KEYS" });
    const moved = { ...job, set: "34".repeat(16) as SetId };
    assert.throws(() => openCapsules(moved, owner.box.secretKey), { code: "E-BACKUP-KEYS" });
    const renamed = job.capsules.map(({ epoch, capsule }) => ({ epoch: epoch + 1, capsule }));
    assert.throws(() => openCapsules({ ...job, capsules: renamed }, owner.box.secretKey), {
      code: "E-BACKUP-KEYS",
    });
    assert.throws(() => openCapsules({ ...job, capsules: [] }, owner.box.secretKey), {
      code: "E-BACKUP-KEYS",
    });
  });

  it("are refused where others can read them, through a link, or when they are something else", () => {
    const file = join(folder, "keys");
    writeJobKeys(file, openCapsules(job, owner.box.secretKey));
    symlinkSync(file, join(folder, "link"));
    assert.throws(() => readJobKeys(join(folder, "link")), { code: "E-BACKUP-KEYS" });
    chmodSync(file, 0o604);
    assert.throws(() => readJobKeys(file), { code: "E-BACKUP-KEYS", message: /Others can read/ });
    assert.throws(() => readJobKeys(join(folder, "none")), { code: "E-BACKUP-KEYS" });
    assert.throws(() => readJobKeys(folder), { code: "E-BACKUP-KEYS" });
    const capsules = join(folder, "capsules");
    writeCapsules(capsules, job);
    assert.throws(() => readJobKeys(capsules), { code: "E-BACKUP-KEYS" });
    for (const text of ["", "{}", "[1]", '{"is":"pleach capsules","v":2}']) {
      assert.throws(() => parseCapsules("x", text), { code: "E-BACKUP-KEYS" });
    }
    const short = readFileSync(capsules, "utf8").replace(/"capsule": "[^"]*"/, '"capsule": "AAAA"');
    assert.throws(() => parseCapsules("x", short), { code: "E-BACKUP-KEYS" });
    const huge = join(folder, "huge");
    writeFileSync(huge, Buffer.alloc(2 * 1024 * 1024), { mode: 0o600 });
    assert.throws(() => readJobKeys(huge), { code: "E-BACKUP-KEYS", message: /too long/ });
  });
});
