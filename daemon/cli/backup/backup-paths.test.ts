import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackupConfig, Config } from "../../config/config.ts";
import { exclusion } from "./backup-paths.ts";

test("a backup has neither what the daemon stores nor keys of key epochs", () => {
  const set = { exclude: ["*.tmp"] } as unknown as BackupConfig;
  const config = { data: "/var/lib/pleach", keys: "/etc/pleach/keys" } as unknown as Config;
  const isLeftOut = exclusion(set, config);
  assert.ok(isLeftOut("/etc/pleach/keys/epochs"));
  assert.ok(isLeftOut("/var/lib/pleach"));
  assert.ok(isLeftOut("/var/lib/pleach-backup"));
  assert.ok(isLeftOut("/srv/x.tmp"));
  assert.equal(isLeftOut("/etc/pleach/keys/sets"), false);
});
