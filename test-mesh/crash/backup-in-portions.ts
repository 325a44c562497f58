/**
 * One backup run that has its shards listed every two, so that a small data set is cut off between
 * lists as a large one would be: `backup-in-portions.ts CONFIG NAME COPIES`. Prints the head.
 */
import { runBackup } from "../../daemon/backup/client/run/backup-run.ts";
import { readSetKeys } from "../../daemon/backup/client/keys/set-key-file.ts";
import { setStore } from "../../daemon/cli/backup/backup-link.ts";
import { cacheFolder } from "../../daemon/cli/backup/backup-paths.ts";
import { loadConfig } from "../../daemon/config/load.ts";
import { ControlClient } from "../../daemon/control/client.ts";
import { SHARD_BYTES } from "../../protocol/backup/shard-id.ts";

const [configFile = "", name = "", copies = ""] = process.argv.slice(2);
const config = loadConfig(configFile);
const set = config.backups.find((one) => one.name === name);
if (set === undefined) throw new Error(`no [[backup]] ${name}`);
const keys = readSetKeys(config.keys, name);
const client = new ControlClient(config.socket);
const { head } = await runBackup({
  keys,
  paths: set.paths.map((path) => Buffer.from(path)),
  excluded: () => false,
  copies: Number(copies),
  store: setStore(client, keys.set),
  cacheFolder: cacheFolder(config),
  now: Date.now,
  portionBytes: 2 * SHARD_BYTES,
  onProgress: () => {},
});
client.close();
console.log(JSON.stringify({ head }));
