/**
 * Keys of sealed histories that wait for signatures: `status` warns of them, as long as they are
 * there whoever takes the box reads what they sealed.
 *
 * The daemon cannot see the keys. Who cannot read their directory is not warned.
 */
import { BackupError } from "../../backup/client/error.ts";
import { hasSetKeys, readSetKeys } from "../../backup/client/keys/set-key-file.ts";
import type { Config } from "../../config/config.ts";
import { lateEpochs } from "../../core/backup/key-epochs.ts";

export interface WaitingKeys {
  /** Of the data set. */
  readonly name: string;
  readonly epochs: readonly number[];
}

export function waitingKeys({ backups, keys }: Config, nowMs: number): readonly WaitingKeys[] {
  return backups.flatMap(({ name, history }) => {
    if (history !== "sealed") return [];
    try {
      if (!hasSetKeys(keys, name)) return [];
      const epochs = lateEpochs(readSetKeys(keys, name).epochs, nowMs);
      return epochs.length === 0 ? [] : [{ name, epochs }];
    } catch (error) {
      if (error instanceof BackupError && error.code === "E-BACKUP-KEYS") return [];
      throw error;
    }
  });
}
