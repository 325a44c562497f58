/** The identity of a shard store: new with its directory, so that an emptied store is seen. */
import { randomBytes } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { idOf, parseId, type StoreId } from "../../../../protocol/ids.ts";
import { DirectorySync } from "./directory-sync.ts";
import { BackupError } from "../error.ts";

/** The identity of the store in that directory, made when there is none. */
export async function openStoreId(directory: string): Promise<StoreId> {
  const path = join(directory, "store-id");
  try {
    const found = parseId<StoreId>((await readFile(path, "utf8")).trim(), 16);
    if (found !== undefined) return found;
    throw new BackupError("E-BACKUP-DISK", `${path} is damaged.`, {
      hint: "Remove it: the store gets a new identity, and owners send again what is missing.",
    });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
  }
  return writeStoreId(directory);
}

/** Gives the store a new identity, durably. */
export async function writeStoreId(directory: string): Promise<StoreId> {
  const path = join(directory, "store-id");
  const bytes = randomBytes(16);
  const temporary = join(directory, "incoming", "store-id.tmp");
  const handle = await open(temporary, "w", 0o600);
  try {
    await handle.writeFile(`${bytes.toString("hex")}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await new DirectorySync().sync(directory);
  return idOf<StoreId>(bytes);
}
