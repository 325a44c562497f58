import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { MeshId, OwnerId } from "../../../../protocol/ids.ts";
import { createSetKeys, hasSetKeys, readSetKeys } from "./set-key-file.ts";

const MODULE = new URL("./set-key-file.ts", import.meta.url).pathname;
const PIN = {
  meshId: "11".repeat(32) as MeshId,
  ownerId: "22".repeat(32) as OwnerId,
  box: new Uint8Array(32).fill(9),
};

let keys = "";
beforeEach(() => (keys = mkdtempSync(join(tmpdir(), "pleach-keys-"))));
afterEach(() => rmSync(keys, { recursive: true, force: true }));

describe("the keys of a data set", () => {
  it("are read as they were made, and never made twice", () => {
    const made = createSetKeys(keys, "home", PIN, 1);
    assert.deepEqual(readSetKeys(keys, "home").set, made.set);
    assert.equal(statSync(join(keys, "sets", "home.json")).mode & 0o777, 0o600);
    assert.throws(() => createSetKeys(keys, "home", PIN, 1), { code: "E-BACKUP-EXISTS" });
    assert.deepEqual(readSetKeys(keys, "home").setKey, made.setKey);
    assert.deepEqual(readdirSync(join(keys, "sets")), ["home.json"]);
  });

  it("are there in full or not at all when they cannot be written", () => {
    // The kernel lets nobody write the first byte of a file.
    const script = join(keys, "make.ts");
    writeFileSync(
      script,
      `import { createSetKeys } from ${JSON.stringify(MODULE)};
       const pin = ${JSON.stringify({ ...PIN, box: null })};
       createSetKeys(${JSON.stringify(keys)}, "home", { ...pin, box: new Uint8Array(32).fill(9) }, 1);`,
    );
    const line = `ulimit -c 0 -f 0; exec ${process.execPath} ${script}`;
    const { status } = spawnSync("bash", ["-c", line], { timeout: 30_000 });
    assert.notEqual(status, 0);
    assert.equal(hasSetKeys(keys, "home"), false);
    createSetKeys(keys, "home", PIN, 1);
    assert.equal(readSetKeys(keys, "home").name, "home");
    assert.deepEqual(readdirSync(join(keys, "sets")), ["home.json"]);
  });
});
