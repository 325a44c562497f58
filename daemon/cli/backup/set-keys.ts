/** The keys of a data set as commands use them: made at the first use, looked after at each. */
import { BackupError } from "../../backup/client/error.ts";
import {
  createSetKeys,
  hasSetKeys,
  readOwnerPin,
  readSetKeys,
  type SetKeyFile,
} from "../../backup/client/keys/set-key-file.ts";
import { tendKeys, type Tended } from "../../backup/client/keys/tend-keys.ts";
import type { BackupConfig } from "../../config/config.ts";
import { PleachError } from "../../../protocol/error.ts";
import { keyStore } from "./backup-link.ts";
import { cacheFolder } from "./backup-paths.ts";
import type { CliContext } from "../shell/context.ts";

/** The keys of a set, made at its first use. */
export function keysOf(keysFolder: string, name: string): SetKeyFile {
  const pin = readOwnerPin(keysFolder);
  if (!hasSetKeys(keysFolder, name)) return createSetKeys(keysFolder, name, pin, Date.now());
  const keys = readSetKeys(keysFolder, name);
  if (keys.owner === pin.ownerId) return keys;
  throw new BackupError("E-BACKUP-KEYS", `The keys of "${name}" belong to another owner.`, {
    hint: "This site has a new owner since: give the data set another name.",
  });
}

/**
 * Begins a new key epoch where one is due, and erases keys that may go.
 *
 * @param rotate - Begin a new one in any case.
 * @returns "busy" while a run is under way.
 */
export function tendSet(
  context: CliContext,
  { name, history, epoch }: BackupConfig,
  rotate = false,
): Promise<Tended | "busy"> {
  const { config, client } = context;
  const { set } = keysOf(config.keys, name);
  return tendKeys({
    keysFolder: config.keys,
    name,
    pin: readOwnerPin(config.keys),
    store: keyStore(client, set),
    cacheFolder: cacheFolder(config),
    history,
    length: epoch,
    rotate,
    nowMs: Date.now(),
  });
}

/** Like {@link tendSet} beside a run, which goes on when the keys cannot be looked after now. */
export async function tendBeside(
  context: CliContext,
  configured: BackupConfig,
): Promise<readonly number[]> {
  try {
    const tended = await tendSet(context, configured);
    return tended === "busy" ? [] : tended.erased;
  } catch (error) {
    if (!(error instanceof PleachError)) throw error;
    context.out.warn(`Key epochs were not looked after: ${error.message}`);
    return [];
  }
}
