import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createEpochKey } from "../../backup/client/keys/epoch-key-files.ts";
import { createSetKeys } from "../../backup/client/keys/set-key-file.ts";
import { loadConfig } from "../../config/load.ts";
import { idOf, sha256, type MeshId, type OwnerId } from "../../../protocol/ids.ts";
import { deriveOwnerKeys } from "../../../protocol/keys/owner-keys.ts";
import { waitingKeys } from "./waiting-keys.ts";

const DAY_MS = 86_400_000;

test("keys that wait for a day are named, of sealed histories alone", (context) => {
  const keys = mkdtempSync(join(tmpdir(), "pl-keys-"));
  context.after(() => rmSync(keys, { recursive: true }));
  const { box } = deriveOwnerKeys(new Uint8Array(32));
  const owner = idOf<OwnerId>(sha256("owner"));
  const pin = { meshId: idOf<MeshId>(sha256("mesh")), ownerId: owner, box: box.publicKey };
  for (const name of ["sealed", "open"]) {
    const { set, setKey } = createSetKeys(keys, name, pin, 0);
    createEpochKey(keys, { owner, set, epoch: 2 }, { setKey, box: box.publicKey }, 5 * DAY_MS);
  }
  const set = (name: string, history: string): string =>
    `[[backup]]\nname = "${name}"\npaths = ["/srv"]\nhistory = "${history}"\n`;
  const sets = [set("sealed", "sealed"), set("open", "box"), set("never", "sealed")];
  const file = join(keys, "pleach.toml");
  writeFileSync(file, `keys = ${JSON.stringify(keys)}\n${sets.join("")}`);
  const config = loadConfig(file);
  assert.deepEqual(waitingKeys(config, 6 * DAY_MS - 1), []);
  assert.deepEqual(waitingKeys(config, 6 * DAY_MS), [{ name: "sealed", epochs: [1] }]);
});
